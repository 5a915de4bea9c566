# SPDX-License-Identifier: Apache-2.0
# The front door. Meson and Ninja do the work in build/meson; the programs land in build/.
#
#   make            build                        sudo make check   install what is missing, build, test
#   sudo make demo  a Debian container, shown    make lint         the checks of the source and programs
#   make install PREFIX=/usr/local DESTDIR=      make bench        figures against Docker and Podman
#   make clean      remove build products        make fuzz         every fuzz target, FUZZ_SECONDS each
#   make asan       build/asan with sanitizers   make check-guest  tests in a virtual machine

PREFIX ?= /usr/local
BUILD := build
FUZZ_SECONDS ?= 60
# Extra arguments for pytest: make check PYTEST_ARGS='-k run'
PYTEST_ARGS ?=
PROGRAMS := kogge kogge-runtime kogge-stage kogge-monitor kogge-init kogge-unpack kogge-registry kogge-remote
# The interpreter of Debian, which has pytest; a developer's own python3 may not.
PYTHON := /usr/bin/python3
export PYTHONDONTWRITEBYTECODE := 1

# Quiet when all is well; what failed when not. The whole log is beside the build directory.
ninja = ninja -C $(1) >$(1).log 2>&1 || { sed -n '/^FAILED\|ERROR/,$$p' $(1).log; exit 1; }

.PHONY: all deps build demo check check-unit check-e2e check-guest asan check-asan clang lint format \
        install clean distclean bench fuzz

all: build

deps:
	@tools/install-deps build

$(BUILD)/%/build.ninja:
	@tools/install-deps build
	@mkdir -p $(BUILD)
	@$(SETUP_ENV) meson setup $(BUILD)/$* $(SETUP_ARGS) >$(BUILD)/$*.log 2>&1 || \
		{ rm -rf $(BUILD)/$*; cat $(BUILD)/$*.log; exit 1; }

# The programs stand in build/ beside each other, where they look for their helpers, without their
# debugging data; gdb finds that in build/.debug.
build:
	@$(MAKE) -s --no-print-directory $(BUILD)/meson/build.ninja
	@$(call ninja,$(BUILD)/meson)
	@for p in $(PROGRAMS); do tools/publish $(BUILD)/meson/src/cmd/$$p $(BUILD) || exit 1; done

asan:
	@$(MAKE) -s --no-print-directory $(BUILD)/asan/build.ninja \
		SETUP_ARGS='-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1'
	@$(call ninja,$(BUILD)/asan)

clang:
	@$(MAKE) -s --no-print-directory $(BUILD)/clang/build.ninja SETUP_ENV='CC=clang'
	@$(call ninja,$(BUILD)/clang)

demo:
	@tools/install-deps build demo
	@$(MAKE) -s --no-print-directory build
	@tools/demo $(BUILD)

check:
	@tools/install-deps build test
	@$(MAKE) -s --no-print-directory build
	@tools/check $(BUILD) unit fuzz e2e -- $(PYTEST_ARGS)

check-unit: build
	@tools/check $(BUILD) unit fuzz

check-e2e: build
	@tools/check $(BUILD) e2e -- $(PYTEST_ARGS)

check-asan: asan
	@tools/check $(BUILD)/asan unit fuzz e2e -- $(PYTEST_ARGS)

check-guest:
	@tools/install-deps build guest
	@$(MAKE) -s --no-print-directory build
	@tests/guest/run $(BUILD)

lint: build
	@tools/lint --build $(BUILD)

format:
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs clang-format -i

bench:
	@tools/install-deps build bench
	@$(MAKE) -s --no-print-directory build
	@$(PYTHON) tests/bench/bench.py --build $(BUILD); first=$$?; \
		$(PYTHON) tests/bench/network.py --build $(BUILD) && exit $$first

fuzz:
	@tools/install-deps build test
	@$(MAKE) -s --no-print-directory $(BUILD)/fuzz/build.ninja SETUP_ENV='CC=clang' \
		SETUP_ARGS='-Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=2'
	@$(call ninja,$(BUILD)/fuzz)
	@tools/fuzz $(BUILD)/fuzz $(FUZZ_SECONDS)

install:
	@$(MAKE) -s --no-print-directory $(BUILD)/meson/build.ninja
	@meson configure $(BUILD)/meson -Dprefix=$(abspath $(PREFIX))
	@$(MAKE) -s --no-print-directory build
	@DESTDIR=$(if $(DESTDIR),$(abspath $(DESTDIR))) meson install -C $(BUILD)/meson --quiet --no-rebuild --strip

# Keeps build/cache: the base images that need a network to be made again.
clean:
	@[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +

distclean:
	@rm -rf $(BUILD)
