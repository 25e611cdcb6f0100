# Every target prepares what it needs and may be called first, on a bare Debian or Ubuntu with a Swift toolchain.
# Details: docs/setup.md

# release: what is measured is what ships, and one build serves demo, test and bench. debug: faster to build again.
CONFIGURATION ?= release
export CONFIGURATION

.DEFAULT_GOAL := help
.PHONY: help demo test check build bench soak examples images clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  CONFIGURATION=$(CONFIGURATION) (release or debug)"

demo: ## serve on loopback and run real Python tasks over REST
	@scripts/with-engine scripts/demo

test: ## every test, with a real container engine
	@scripts/with-engine scripts/test

check: ## format, lint and tidy rules
	@scripts/check

build: ## build the product and the tests
	@scripts/deps
	@scripts/build

bench: ## latency and throughput beside the floor
	@scripts/with-engine scripts/bench

soak: ## the long fault tests
	@SLIPWAY_TEST_SOAK=1 scripts/with-engine scripts/test --filter Soak

examples: ## build and run the packages below Examples, which use the library from outside
	@scripts/with-engine scripts/examples

images: ## put the base images, and the official ones that can be had, into the container engine
	@scripts/with-engine scripts/images

clean: ## remove the build; keeps the cache folder, whose engine it stops
	@scripts/engine stop
	rm -rf .build
