# The front door: every target installs the Debian packages it needs, then builds, then acts.
# `make help` lists the targets. The build itself is CMake; see CMakePresets.json.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
CONF ?= conf/pabal.xml
ARGS ?=
# Preset of `make test`, and of the volume tests of `make test-all`: the build that is shipped.
PRESET ?= release
# Sizes of `make test-all`; what CI runs is the default in the tests themselves.
KILL_ROUNDS ?= 200
SIM_SEEDS ?= 10000
CRASH_SEEDS ?= 500
XA_ROUNDS ?= 100
TEMPORARY_QUEUES ?= 10000
CHURN_ROUNDS ?= 2000
FUZZ_SECONDS ?= 300

# Two tests at a time at most: several of them start brokers that sync a lot.
CTEST := ctest --output-on-failure --no-tests=error --parallel $(JOBS)
# gcc 12's thread sanitizer cannot live with the address randomization of newer kernels.
FIXED_ADDRESSES := setarch $(shell uname -m) --addr-no-randomize

.PHONY: help run build test test-all test-slow test-asan test-tsan test-clang test-fuzz \
        compare conf format tidy clean

help:
	@echo "make run        install what is missing, build, start the broker with $(CONF)"
	@echo "                (options for it: make run ARGS='-d /var/tmp/pabal -D stomp.port=0')"
	@echo "make build      leave build/release/pabal"
	@echo "make test       build and run the test suite (what CI runs)"
	@echo "make test-all   the same at full size, under sanitizers, with fuzzing: an hour or more"
	@echo "make compare    side by side with other brokers; writes tests/bench/RESULTS.md"
	@echo "make conf       write conf/ from the option table in server/config"
	@echo "make format     clang-format over the C++ sources"
	@echo "make tidy       clang-tidy over the C++ sources"
	@echo "make clean      remove build/"

# The first configuration leaves the tests out, so that running needs no test package; a build
# directory that has them keeps them.
build:
	scripts/install-packages.sh build
	[ -f build/release/CMakeCache.txt ] || cmake --preset release -DPABAL_TESTS=OFF
	cmake --build build/release --target pabal --parallel $(JOBS)

run: build
	exec build/release/pabal serve -c $(CONF) $(ARGS)

test:
	scripts/install-packages.sh build test
	cmake --preset $(PRESET) -DPABAL_TESTS=ON
	cmake --build build/$(PRESET) --parallel $(JOBS)
	$(CTEST) --test-dir build/$(PRESET) --label-exclude slow $(ARGS)

# Full sizes. Each part can be run alone.
test-all: test-slow test-asan test-tsan test-clang test-fuzz

test-slow:
	scripts/install-packages.sh build test
	cmake --preset $(PRESET) -DPABAL_TESTS=ON
	cmake --build build/$(PRESET) --parallel $(JOBS)
	PABAL_KILL_ROUNDS=$(KILL_ROUNDS) PABAL_SIM_SEEDS=$(SIM_SEEDS) PABAL_FULL_SIZE=1 \
	  PABAL_XA_ROUNDS=$(XA_ROUNDS) PABAL_TEMPORARY_QUEUES=$(TEMPORARY_QUEUES) \
	  PABAL_CHURN_ROUNDS=$(CHURN_ROUNDS) PABAL_CRASH_SEEDS=$(CRASH_SEEDS) $(CTEST) --test-dir build/$(PRESET) --timeout 7200 $(ARGS)

test-asan:
	scripts/install-packages.sh build test
	cmake --preset asan
	cmake --build build/asan --parallel $(JOBS)
	$(CTEST) --test-dir build/asan --label-exclude slow $(ARGS)

test-tsan:
	scripts/install-packages.sh build test
	cmake --preset tsan
	$(FIXED_ADDRESSES) cmake --build build/tsan --parallel $(JOBS)
	$(FIXED_ADDRESSES) $(CTEST) --test-dir build/tsan --label-exclude slow $(ARGS)

# Warnings are errors, so building is the test of -Wthread-safety.
test-clang:
	scripts/install-packages.sh build test analysis
	cmake --preset clang
	cmake --build build/clang --parallel $(JOBS)

test-fuzz:
	scripts/install-packages.sh build test analysis
	cmake --preset fuzz
	cmake --build build/fuzz --parallel $(JOBS)
	scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS)

compare: build
	scripts/install-packages.sh bench
	tests/bench/compare $(ARGS)

conf:
	scripts/install-packages.sh build
	[ -f build/release/CMakeCache.txt ] || cmake --preset release -DPABAL_TESTS=OFF
	cmake --build build/release --target conf --parallel $(JOBS)

format:
	scripts/install-packages.sh analysis
	git ls-files '*.cc' '*.h' | xargs clang-format -i

tidy:
	scripts/install-packages.sh build test analysis
	cmake --preset clang
	run-clang-tidy -quiet -p build/clang '$(CURDIR)/(core|protocols|store|server)/.*\.cc$$'

clean:
	rm -rf build
