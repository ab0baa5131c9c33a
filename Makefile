# upkeep: see README.md. Every target works on a fresh Debian 12 or Ubuntu 22.04/24.04 machine with Go, gcc and make.

BIN     := bin
VERSION := 0.1.0-dev
LDFLAGS := -s -w -X main.version=$(VERSION)

# Everything but upkeep-nvml is built without cgo: the helper must be static, and one setting for all means that each
# package is compiled once.
export CGO_ENABLED := 0
# gRPC's tracing page links html/template, with which the linker keeps every method: a fifth of the helper.
export GOFLAGS := $(GOFLAGS) -tags=grpcnotrace
ARCH := $(shell go env GOARCH)

# go-nvml refers to functions of the driver's library that an older or absent library lacks. Unless they are bound
# lazily, a program that links it dies at start on such a host.
NVML_LDFLAGS := -extldflags=-Wl,-z,lazy
# The helper runs as root and runs upkeep-nvml only where that is this file.
NVML_DIGEST = -X main.nvmlDigest=$$(sha256sum $(BIN)/upkeep-nvml | cut -d' ' -f1)
# Helpers of this architecture carry it, for nodes on which nobody has installed it.
NVML_PACKED := cmd/upkeep-node/upkeep-nvml.gz
NVML_TAGS := -tags=grpcnotrace,nvml

FUZZTIME ?= 10s
# What `make steady` runs, and how often.
PKGS ?= ./...
TIMES ?= 20
# How many random worlds `make simulate` walks, and the seed of the first.
N ?= 100000
FROM ?= 1

.PHONY: build helpers test steady race simulate scaling acceptance acceptance-all demo bench bench-backup fuzz fuzz-short lint install release clean

build: ## upkeep, and beside it the child that proves etcd snapshots and the helpers for nodes of this machine's architecture
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/upkeep ./cmd/upkeep
	CGO_ENABLED=1 go build -ldflags '$(NVML_LDFLAGS)' -o $(BIN)/upkeep-nvml ./cmd/upkeep-nvml
	gzip -n -9 -c $(BIN)/upkeep-nvml >$(NVML_PACKED)
	GOOS=linux go build $(NVML_TAGS) -ldflags "$(LDFLAGS) $(NVML_DIGEST)" -o $(BIN)/upkeep-node-linux-$(ARCH) ./cmd/upkeep-node
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/upkeep-etcd ./cmd/upkeep-etcd

helpers: ## the helpers for nodes of every architecture
	for arch in amd64 arm64; do \
		digest= tags=; if test $$arch = $(ARCH) && test -f $(BIN)/upkeep-nvml; then \
			gzip -n -9 -c $(BIN)/upkeep-nvml >$(NVML_PACKED); digest="$(NVML_DIGEST)" tags="$(NVML_TAGS)"; \
		fi; \
		GOOS=linux GOARCH=$$arch go build $$tags -ldflags "$(LDFLAGS) $$digest" -o $(BIN)/upkeep-node-linux-$$arch ./cmd/upkeep-node || exit 1; \
	done

test: ## unit, golden, testscript and property tests; no root, no network, no cluster
	./scripts/test.sh -timeout 20m ./...

steady: ## every package of PKGS TIMES times, each time in another order; prints what did not pass every time
	TIMES=$(TIMES) ./scripts/steady.sh $(PKGS)

race: ## the race detector on what runs side by side; not on cmd/upkeep, which would build Helm and client-go a second time
	# A program under it sleeps for a second when it ends, unless it is told otherwise; the tests start hundreds.
	GORACE=atexit_sleep_ms=20 CGO_ENABLED=1 ./scripts/test.sh -race -timeout 20m ./planner/... ./state/... ./providers/node/... ./providers/observe/... ./providers/claim/... ./cmd/upkeep/wiring/...

simulate: ## walk N random clusters with faults, crashes and two operators, from seed FROM; `make test` walks some thousands
	go test -count=1 -timeout 0 -run 'Test(Release|Worker)?Worlds$$' -v ./fixtures/simulation -worlds $(N) -from $(FROM)

scaling: ## twice as many nodes cost twice the processor time, for plan, drift, rehearse, apply and show; most of a minute
	go test -count=1 -timeout 4m -run 'TestLinear$$' -v ./fixtures/scaling -linear

demo: ## the main job on a recorded three-control-plane world
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/upkeep ./cmd/upkeep
	./fixtures/demo/demo.sh $(BIN)/upkeep

acceptance: build ## the core on the lab: a real three-control-plane cluster on this machine (root on Debian or Ubuntu)
	cd acceptance && go test ./cmd/... ./traffic/... ./lab/... ./watch/...
	cd acceptance && UPKEEP=$(CURDIR)/$(BIN)/upkeep ACCEPTANCE=core go test -count=1 -timeout 50m -v .

acceptance-all: build ## everything on the lab; which part belongs to the core stands in acceptance/parts_test.go
	cd acceptance && go test ./cmd/... ./traffic/... ./lab/... ./watch/...
	cd acceptance && UPKEEP=$(CURDIR)/$(BIN)/upkeep ACCEPTANCE=all go test -count=1 -timeout 100m -v .

bench-backup: ## verified backups beside `etcdctl snapshot save`; ETCD_BIN names a directory with etcd and etcdctl
	go test -count=1 -timeout 30m -tags backupfigures -run '^$$' -bench 'Backup' -benchtime 1x ./providers/backup

bench: ## speed and memory
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## every fuzz target, for FUZZTIME each
	./scripts/fuzz.sh $(FUZZTIME)

fuzz-short: ## 2000 inputs for each fuzz target, guided by what they reach in code of this module
	./scripts/fuzz.sh 2000x light

lint: ## formatting and vet
	test -z "$$(gofmt -l .)"
	go vet ./...

install: build helpers
	install -d $(DESTDIR)/usr/local/bin $(DESTDIR)/usr/local/lib/upkeep
	install -m 0755 $(BIN)/upkeep $(BIN)/upkeep-etcd $(BIN)/upkeep-node-linux-* $(BIN)/upkeep-nvml $(DESTDIR)/usr/local/lib/upkeep/
	ln -sf ../lib/upkeep/upkeep $(DESTDIR)/usr/local/bin/upkeep

release: ## archives for linux/amd64, linux/arm64 and darwin/arm64, Debian packages, and their sums, in dist/
	./scripts/release.sh $(VERSION)

clean:
	rm -rf $(BIN) dist
