"""What an idle operator costs: memory, CPU, requests to the API server, with a thousand models at rest."""
