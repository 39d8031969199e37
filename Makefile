# make demo   three nodes, eight workers and a workflow that answers questions on a page; ARGS="folder" or ARGS=--once
# make test   everything that proves it (CI runs this)
# make check  the quick part of it, for while you work

GOLANGCI_LINT_VERSION := v2.15.0
TEST_TIMEOUT ?= 20m
FUZZ_TIME ?= 20s
ARGS ?=

.PHONY: build demo check test race docs lint fuzz clean

build:
	go build -o bin/ ./cmd/...

demo: build
	./bin/baton-demo $(ARGS)

check:
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these:"; gofmt -l .; exit 1; }
	go vet ./...
	go test -short ./...

# docs/ is compared with the sources by go test ./docs, which is among ./...
test: build
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these:"; gofmt -l .; exit 1; }
	go vet ./...
	go test -timeout $(TEST_TIMEOUT) ./...
	$(MAKE) race
	./bin/baton-demo --once

# The race detector needs a C compiler; where there is none this says so.
race:
	@if [ "$$(go env CGO_ENABLED)" = 1 ]; then \
		go test -race -short -timeout $(TEST_TIMEOUT) ./client/... ./gateway/... ./cmd/... ; \
	else echo "no C compiler: tests with the race detector are left out"; fi

# Writes the generated tables in docs/ anew.
docs:
	go test ./docs -update
	go test ./fsm/workflow -run "TestSchemaIsTheGrammar|TestReferenceIsTheGrammar" -update

lint: bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
	./bin/golangci-lint-$(GOLANGCI_LINT_VERSION) run ./...

bin/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv bin/golangci-lint $@

# Every fuzz target in turn, FUZZ_TIME each.
fuzz:
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) $$package || exit 1; \
		done; \
	done

clean:
	rm -rf bin
