# The whole of it in short words; meson.build does the building. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := build

BUILD ?= build
TYPE ?= release
MESON_OPTIONS ?=
NINJA_TARGETS ?=
FUZZ_SECONDS ?= 60
# UI=no builds without the page, and then without node.
UI ?= yes
ifeq ($(UI),no)
override MESON_OPTIONS += -Dui=false
endif
prefix ?= /usr/local

# The own C files, for the checks.
C_FILES = $(shell find src client tests bench -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
OWN_C_FILES = $(shell find src client -name '*.[ch]' | LC_ALL=C sort)

.PHONY: help run build ui configure everything test compat bench bench-peers faults check format format-check tidy asan tsan ubsan fuzz clean install

help:
	@echo "make run      install what is missing, build, fetch weights, serve, make one picture"
	@echo "make test     build everything and run all tests; the last line counts them"
	@echo "make compat   the official Python clients against the server (needs PyPI)"
	@echo "make build    build/mimeo and build/mimeo-runner (CC=clang: with clang; UI=no: without the page)"
	@echo "make ui       the page alone, into ui/dist"
	@echo "make check    format, layers, symbols, sizes, banned functions, documents, static analysis"
	@echo "make asan     all tests under the address and undefined-behaviour sanitizers (tsan: threads)"
	@echo "make ubsan    the C tests under the undefined-behaviour sanitizer alone, runners confined"
	@echo "make fuzz     every fuzzer for FUZZ_SECONDS ($(FUZZ_SECONDS)); FUZZ=\"json http\": only these"
	@echo "make bench    speed and memory, each beside a peer in the same run"
	@echo "make bench-peers  networks beside PyTorch and OpenVINO (NETWORK=gfpgan, ...; needs PyPI)"
	@echo "make faults   1,000 kill -9 cycles (up to 10 minutes)"
	@echo "make format   lay out the C files"
	@echo "make install  into prefix ($(prefix))"
	@echo "make clean    remove the builds"

run:
	@tools/make-run

# ---- Building -----------------------------------------------------------------------------------

build: configure
	@ninja -C $(BUILD) --quiet mimeo mimeo-runner

everything: configure
	@ninja -C $(BUILD) --quiet $(NINJA_TARGETS)

# Before meson, which puts ui/dist into the program.
ui:
ifneq ($(UI),no)
	@tools/install-dependencies build
	@tools/build-ui
endif

# Configure when there is no build yet, and again when a file came or went (what is built is what
# lies in the folders), when cmocka came, or with another compiler.
configure: ui
	@tools/install-dependencies build
	@mkdir -p $(BUILD)
	@{ echo "$(CC) $(TYPE) $(MESON_OPTIONS)"; pkg-config --modversion cmocka 2>/dev/null || true; \
	   find src client models catalogue tests bench \( -name '*.c' -o -name '*.yaml' -o -name '*.sql' \) \
	        -not -path '*/node_modules/*' 2>/dev/null | LC_ALL=C sort; } > $(BUILD)/listing.new
	@if [ ! -f $(BUILD)/build.ninja ] || \
	    [ "$$(head -n 1 $(BUILD)/listing.new)" != "$$(head -n 1 $(BUILD)/listing 2>/dev/null)" ]; then \
	     mv $(BUILD)/listing.new $(BUILD).listing && rm -rf $(BUILD) && \
	     CC="$(CC)" meson setup $(BUILD) --buildtype=$(TYPE) --prefix=$(prefix) $(MESON_OPTIONS) > $(BUILD).log 2>&1 \
	         || { cat $(BUILD).log; rm -f $(BUILD).listing $(BUILD).log; exit 1; }; \
	     rm -f $(BUILD).log; mv $(BUILD).listing $(BUILD)/listing; \
	 elif ! cmp -s $(BUILD)/listing.new $(BUILD)/listing; then \
	     meson setup --reconfigure $(BUILD) > $(BUILD)/configure.log 2>&1 || { cat $(BUILD)/configure.log; exit 1; }; \
	     mv $(BUILD)/listing.new $(BUILD)/listing; \
	 else rm $(BUILD)/listing.new; fi

install: build
	@ninja -C $(BUILD) --quiet
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-*

# ---- Tests --------------------------------------------------------------------------------------

test:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything
	@tools/run-tests $(BUILD)

# What needs PyPI stays apart from `make test`.
compat:
	@tools/install-dependencies build compat
	@$(MAKE) --no-print-directory everything
	@tests/compat/run $(BUILD)

# All tests once more, in builds of their own; what a sanitizer reports in any process is a failure.
asan:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything BUILD=build-asan TYPE=debugoptimized \
	    MESON_OPTIONS="-Db_sanitize=address,undefined -Db_lundef=false"
	@tools/run-tests build-asan

ubsan:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything BUILD=build-ubsan TYPE=debugoptimized \
	    MESON_OPTIONS="-Db_sanitize=undefined -Db_lundef=false"
	@tools/run-tests --only-c build-ubsan

tsan:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything BUILD=build-tsan TYPE=debugoptimized \
	    MESON_OPTIONS="-Db_sanitize=thread -Db_lundef=false"
	@tools/run-tests build-tsan

fuzz:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything BUILD=build-fuzz CC=clang TYPE=debugoptimized \
	    NINJA_TARGETS="$(subst _,-,$(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))))" \
	    MESON_OPTIONS="-Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false"
	@tools/run-fuzzers build-fuzz $(FUZZ_SECONDS) $(FUZZ)

# ---- Checks -------------------------------------------------------------------------------------

check: format-check tidy
	@tools/check-layers LAYERS $(shell find src -name '*.[ch]' | LC_ALL=C sort)
	@tools/check-banned $(OWN_C_FILES)
	@tools/check-sizes $(OWN_C_FILES)
	@tools/check-page ui/src
	@tools/check-symbols $(BUILD)
	@tools/check-docs docs/architecture.md
	@tools/check-compatibility docs/api-compatibility.md
	@echo "make check: all good"

format-check:
	@tools/install-dependencies build test
	@clang-format --dry-run -Werror $(C_FILES)

format:
	@clang-format -i $(C_FILES)

# Suppressed: NULL is a pointer with every compiler we build with; readdir_r is deprecated; structs that a called function fills
# are taken for uninitialised (the compilers and valgrind see those rightly); tensors are bytes of a type that is told beside them,
# and aligned for it.
tidy: everything
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
	    --suppress=missingIncludeSystem --suppress=unknownMacro \
	    --suppress=varFuncNullUB --suppress=readdirCalled --suppress=uninitStructMember --suppress=invalidPointerCast --library=posix,gnu -j 2 \
	    -D_GNU_SOURCE -DMIMEO_VERSION='"0"' -I src -I client $(filter %.c,$(OWN_C_FILES))

# ---- Benchmarks and long runs -------------------------------------------------------------------

# Each figure beside its peer in the same run: docs/performance.md says what is measured and how.
bench:
	@tools/install-dependencies build test bench
	@$(MAKE) --no-print-directory everything
	@bench/run $(BUILD)

# Beside PyTorch and OpenVINO as well: NETWORK=rrdb (the default), gfpgan, restoreformer, ddcolor-large, ddcolor-tiny. Installs
# what it needs from PyPI into build/peers-venv, some GB; nothing else uses it.
bench-peers: everything
	@[ -x $(BUILD)/peers-venv/bin/python ] || python3 -m venv $(BUILD)/peers-venv
	@$(BUILD)/peers-venv/bin/python -c 'import torch, openvino, spandrel_extra_arches' 2>/dev/null || $(BUILD)/peers-venv/bin/pip install --quiet torch torchvision openvino onnx onnxruntime safetensors spandrel spandrel_extra_arches
	@case "$(or $(NETWORK),rrdb)" in \
	    rrdb) $(BUILD)/peers-venv/bin/python bench/peers.py --build $(BUILD) ;; \
	    *) BUILD=$(BUILD) PYTHON=$(BUILD)/peers-venv/bin/python bench/network.sh 3 $$(nproc) $(NETWORK) ;; \
	esac

# 1,000 kill -9 cycles of server and runners, or 10 minutes of them.
faults:
	@tools/install-dependencies build test
	@$(MAKE) --no-print-directory everything
	@node tests/faults/kill_nine.mjs 1000 600
