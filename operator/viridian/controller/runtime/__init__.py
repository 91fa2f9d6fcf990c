"""What any operator needs: settings, leadership, queue, jobs, streams. Imports no other room."""
