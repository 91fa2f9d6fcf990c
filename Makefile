.DEFAULT_GOAL := help
.PHONY: help demo test lint coverage test-pure test-serving test-component test-importing test-transformers test-e2e fuzz mutants cluster images sbom install generate pictures clean
.PHONY: bench-guards bench-demo bench-idle bench-faults bench-serving bench-steady bench-models bench-import bench-laptop bench-fetch bench-alerts bench-drift bench-rules bench-page release

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1@/p' $(MAKEFILE_LIST) | column -t -s @

demo: ## a good model is promoted and a bad one rolled back, on a local cluster with real traffic
	@dev/cluster/demo.sh

# Two lanes, since a third gave two cores a load of 40. End-to-end tests take the longest: the other lane gives way to them.
test: ## everything: linters, pure, serving, component, importing and end-to-end tests
	@dev/test/test.sh lint,pure,serving,component e2e,importing,compiled

lint: ## ruff, mypy, import-linter, shellcheck, generated files
	@dev/test/test.sh lint

test-pure: ## tests of the pure parts, in seconds
	@dev/test/test.sh pure

test-serving: ## tests of serving pods as local processes, each with a real Triton, and of the modules that the image compiles
	@dev/test/test.sh serving,compiled

test-component: ## tests against a real API server, Prometheus and Envoy as local processes
	@dev/test/test.sh component

test-importing: ## tests of `viridian import`, with the libraries that make models
	@dev/test/test.sh importing

test-transformers: ## the same of transformers, PyTorch, CatBoost and Keras: fetches 5 GB of packages, no part of `test`
	@dev/test/test.sh transformers

test-e2e: ## tests on the local cluster
	@dev/test/test.sh e2e

fuzz: ## what reads requests, with inputs that follow its code (atheris, Linux on x86-64); SECONDS=600, TARGETS=infer
	@mkdir -p build
	@for target in $(or $(TARGETS),predict infer messages connection); do \
	  dev/python.sh -m tests.fuzz.$$target -max_total_time=$(or $(SECONDS),60) -max_len=4096 -timeout=5 \
	    -artifact_prefix=build/fuzz-$$target- build/fuzz-corpus/$$target || exit; done

coverage: ## which lines and branches of the pure core no test of it reaches, and the share of the others
	@dev/test/coverage.sh

mutants: ## whether the tests of the pure core notice small mistakes in it; MODULES="context plan", PACKAGE=guards
	@PACKAGE=$(PACKAGE) dev/mutants/mutants.sh $(MODULES)

cluster: ## a local Kubernetes cluster with a gateway and Prometheus
	@dev/cluster/up.sh

images: ## the images of operator, serving and demonstration; prints their names
	@dev/images/product-images.sh

sbom: ## the same, and what the images are made of in build/sbom
	@SBOM=1 dev/images/product-images.sh

install: ## the operator on the local cluster, as a user would install it
	@dev/cluster/install.sh >/dev/null

bench-idle: ## what an idle operator costs with a thousand models at rest: memory, CPU, requests to the API server
	@dev/test/bench.sh idle

bench-guards: ## false rollbacks and time to catch, ours and other rules, simulated; ROLLOUTS=2000 RATES=60,600 BASES=0.1,1,5
	@dev/test/bench.sh guards --rollouts $(or $(ROLLOUTS),2000) $(if $(RATES),--rates $(RATES)) $(if $(BASES),--bases $(BASES))

bench-faults: ## what faults cost, on the local cluster; FAULTS=prometheus,contour for some of them
	@dev/test/bench.sh faults "$(FAULTS)"

bench-demo: ## whether the demonstration loses requests: ten runs, four of them on a busy machine; RUNS=10 BUSY=4
	@dev/test/bench.sh demo $(if $(RUNS),--runs $(RUNS)) $(if $(BUSY),--busy $(BUSY))

bench-serving: ## how fast predictions are, beside Triton, KServe, MLServer, BentoML, FastAPI, LitServe, Ray Serve; SERVERS=viridian,triton SECONDS=5 AGAINST=COMMIT
	@dev/test/bench.sh serving "$(SERVERS)" $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(WORKLOADS),--workloads $(WORKLOADS)) $(if $(AGAINST),--against $(AGAINST))

bench-models: ## public models: which start, are answered as by ONNX Runtime, are batched; MODELS=lstm,silero
	@dev/test/bench.sh models "$(MODELS)"

bench-import: ## models of many libraries, imported and served: equal, refused, how fast (5 GB of packages); MODELS=xgboost,forest
	@dev/test/bench.sh import "$(MODELS)"

bench-laptop: ## from an empty environment to the first prediction: install, import, serve
	@dev/test/bench.sh laptop

bench-fetch: ## how fast a large model comes from S3, beside Amazon's own client, and in how much memory; GIB=10 ROUNDS=3
	@dev/test/bench.sh fetch $(if $(GIB),--gib $(GIB)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-steady: ## how long a serving pod takes to start, and its memory over 10 minutes of load; MINUTES=3
	@dev/test/bench.sh steady $(if $(MINUTES),--minutes $(MINUTES))

generate: ## the CRD, the API reference, rules and dashboards, from the code
	@dev/python.sh -m viridian.api.generators.crd
	@dev/python.sh -m viridian.api.generators.reference
	@dev/python.sh -m viridian.monitoring.generators.rules
	@dev/python.sh -m viridian.monitoring.generators.dashboards

pictures: ## docs/images/dashboards: the dashboards' panels, drawn from what real pods have counted
	@dev/toolchain/build-go.sh prometheus
	@dev/python.sh -m tests.monitoring.pictures

bench-alerts: ## which alerts fire in each scenario of tests/monitoring/scenarios, and how soon: build/bench-alerts.json and .md
	@dev/test/bench.sh alerts

bench-drift: ## false alarms on drift in a quarter, and how soon a shift is found, simulated; MODELS=30 SHIFTS=50 RATES=1,60
	@dev/test/bench.sh drift --models $(or $(MODELS),30) --shifts $(or $(SHIFTS),50) $(if $(RATES),--rates $(RATES))

bench-rules: ## what rules and dashboards cost a Prometheus with many models: build/bench-rules.json; MODELS=2000
	@dev/test/bench.sh rules --models $(or $(MODELS),2000)

bench-page: ## the page with many models: time to the first rows, and CPU while 50 change every second; MODELS=2000
	@dev/test/bench.sh page --models $(or $(MODELS),2000)

release: ## wheels, chart, image archives, SBOMs and checksums in dist/; a draft without FINAL=1
	@dev/images/release.sh

clean: ## remove the local cluster
	@dev/cluster/down.sh
