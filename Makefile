# SPDX-License-Identifier: GPL-2.0-or-later
# make            out/lguest, and our own guests under out/guest/
# make run        boots the demo guest with a scratch disk
# make test       all tests; TEST_FILTER=... for some (see dotnet test --filter)
# make bench      the benchmarks, and docs/performance.md; BENCH=--help tells of options
# make format     what the style check wants
# make clean

DOTNET ?= dotnet
OUT := out
MEMORY ?= 64m

# Our own house for the build's own chatter: no telemetry, no banner.
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

CS_SOURCES := $(shell find guestabi devices engine launcher -name '*.cs' -not -path '*/obj/*' -not -path '*/bin/*') \
	$(wildcard */*.csproj) Directory.Build.props Directory.Packages.props

.PHONY: readme all launcher guests test run bench format clean
all: launcher guests

launcher: $(OUT)/lguest

# Compiled ahead (ReadyToRun), so that it starts fast, and with its own runtime. Compiler and runtime are packages; where no
# registry has them, the launcher is published without, starts slower, and says so here.
PUBLISH = $(DOTNET) publish launcher -c Release -r linux-x64 -p:DebugType=none -v quiet -o $(OUT)
$(OUT)/lguest: $(CS_SOURCES)
	@mkdir -p $(OUT)
	@if $(PUBLISH) --self-contained true >$(OUT)/publish.log 2>&1; then \
		echo "out/lguest is ready"; \
	elif grep -q 'NU110[0-9]' $(OUT)/publish.log; then \
		echo "note: not all packages to compile it ahead are to be had; out/lguest will start slower"; \
		$(PUBLISH) --self-contained false; \
	else \
		cat $(OUT)/publish.log; exit 1; \
	fi
	@touch $@

guests:
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest

# The test run names a test that hangs and ends (tests/Support/RunWatch.cs); where even that hangs, the platform kills it after
# TEST_HANG without a result. Run by the assembly: through the project, MSBuild would keep the progress to itself.
TEST_HANG ?= 6m
test: all
	@echo "building the tests"
	@$(DOTNET) build tests -c Release -v quiet -clp:ErrorsOnly
	@LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) test tests/bin/Release/net10.0/Lguest.Tests.dll \
		--logger lguest --logger "console;verbosity=quiet" --logger trx --results-directory $(OUT)/results \
		--blame:"CollectHangDump;TestTimeout=$(TEST_HANG);HangDumpType=None" $(if $(TEST_FILTER),--filter "$(TEST_FILTER)")

run: all
	@test -f $(OUT)/scratch.img || dd if=/dev/zero of=$(OUT)/scratch.img bs=1M count=8 status=none
	$(OUT)/lguest $(MEMORY) $(OUT)/guest/demo --block=$(OUT)/scratch.img

bench: all
	LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) run --project bench -c Release -- $(BENCH)

# README's table of options, from the program's own.
readme: launcher
	$(OUT)/lguest document options.md >$(OUT)/options.md
	sed -i -e '/^<!-- options -->$$/r $(OUT)/options.md' -e '/^<!-- options -->$$/,/^<!-- \/options -->$$/{/^|/d}' README.md

format:
	$(DOTNET) format Lguest.sln

clean:
	rm -rf $(OUT) */bin */obj TestResults
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest clean
