# `make` lists the targets. Everything works on a machine that has only Go, git
# and make: setup installs or names the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help

GO ?= go
ARGS ?=

# Tools that only checks need stay out of go.mod.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help setup assets generate build demo compile ready test slow check bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install (Debian, Ubuntu) or name what this machine lacks
	@internal/devstack/setup.sh demo

assets: ## Build the browser files, if anything changed
	@node ui/static/build.mjs

generate: ## Regenerate the GraphQL and template code
	$(GO) tool templ generate
	$(GO) tool gqlgen generate

build: assets ## Build bin/avisa
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/avisa ./cmd/avisa

demo: ## Run everything with demo data (ARGS=--once: run once and exit)
	@$(MAKE) --no-print-directory -j2 compile ready
	@$(DEMO_BUILD) -o bin/avisa-demo ./cmd/avisa
	@bin/avisa-demo demo $(ARGS)

# On a new machine compiling takes longer than everything else. So the demo is
# compiled without optimisation and S3, by compilers that rarely collect garbage, in half
# the time (`make build` is for use), and without waiting for what apt and npm download:
# only the packages that import the browser files (ui, cmd/avisa) come after them.
DEMO_BUILD = CGO_ENABLED=0 GOGC=off GOMEMLIMIT=1GiB $(GO) build -trimpath -gcflags='all=-N -l -dwarf=false' -ldflags='-s -w' -tags=demo

compile:
	@$(DEMO_BUILD) ./graph ./jobs ./internal/... $(filter-out %/static/ %/testdata/,$(wildcard ./ui/*/))

ready: setup
	@$(MAKE) --no-print-directory assets

# Tests and checks are compiled without what a debugger reads, and the large packages whose speed
# they do not need without optimisation: two thirds of the time on a new machine.
UNOPTIMISED := github.com/redis/... github.com/stripe/... github.com/aws/... github.com/nubedigitalmx/avisa/graph/gen github.com/nubedigitalmx/avisa/ui/...
test slow check: export GOFLAGS := $(GOFLAGS) -gcflags=all=-dwarf=false $(foreach package,$(UNOPTIMISED),'-gcflags=$(package)=-N -l -dwarf=false')

test: ## Run the tests, on real PostgreSQL, Redis and a browser
	@internal/devstack/setup.sh test
	@$(MAKE) --no-print-directory assets
	@GOGC=off GOMEMLIMIT=1GiB $(GO) build ./...
	$(GO) test -short -p 4 -vet=off -ldflags='-s -w' -timeout 10m ./...

# Ten thousand random fiscal documents, the SAT's verifier on every one that is made, ten thousand
# wrong passwords, every page in the browser.
slow: ## Run the tests that are too long for every make test
	$(GO) test -vet=off -timeout 30m ./internal/fiscal/...
	$(GO) test -vet=off ./ui -run TestTenThousandWrongPasswords
	$(GO) test -vet=off ./cmd/avisa -run 'TestEveryPage|TestDemoDocuments'

check: ## Lint, look for known vulnerabilities, and compare generated code
	$(GO) run $(GOLANGCI_LINT) run
	@GO="$(GO)" .ci/vulnerabilities $(GOVULNCHECK)
	@.ci/unchanged $(MAKE) --no-print-directory generate

bench: assets ## Measure, beside floors and targets (ten minutes at most)
	@$(GO) run ./internal/bench

clean: ## Remove what was built; the demo's data in .avisa stay
	rm -rf bin ui/static/node_modules ui/static/.build.json artifacts
	find ui/static/dist -type f ! -name .gitkeep -delete
