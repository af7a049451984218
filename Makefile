# SPDX-License-Identifier: GPL-2.0-or-later
# make            out/lguest, and our own guests under out/guest/ (V=1 shows each file that is compiled)
# make run        boots the demo guest with a scratch disk; MEMORY=64m
# make test       all tests, in two to four minutes; TEST_FILTER=... runs some (see dotnet test --filter)
# make fuzz       hostile input for two minutes; FUZZ_TIME=10m, FUZZ_ONLY=TARGET: docs/testing.md
# make bench      the benchmarks, and docs/performance.md; BENCH=--help lists options
# make readme     README's table of options, from the program's own
# make format     applies the style that .ci/run checks
# make clean      removes everything that was built
# make help       this list

DOTNET ?= dotnet
OUT := out
MEMORY ?= 64m

# Our own house for the build's own chatter: no telemetry, no banner.
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

CS_SOURCES := $(shell find guestabi devices engine launcher -name '*.cs' -not -path '*/obj/*' -not -path '*/bin/*') \
	$(wildcard */*.csproj) Directory.Build.props Directory.Packages.props

.PHONY: readme all launcher guests test fuzz run bench format clean help sdk
all: launcher guests

help:
	@sed -n '2,/^$$/s/^# //p' Makefile

launcher: $(OUT)/lguest

sdk:
	@version=$$($(DOTNET) --version 2>/dev/null); case $$version in \
	[1-9][0-9].*) ;; \
	'') echo "make: there is no '$(DOTNET)' here: the .NET SDK 10 or newer is needed (https://dotnet.microsoft.com/download; DOTNET=PATH names one)" >&2; exit 1 ;; \
	*) echo "make: '$(DOTNET)' is version $$version: the .NET SDK 10 or newer is needed (https://dotnet.microsoft.com/download; DOTNET=PATH names another)" >&2; exit 1 ;; \
	esac

# One native program, by NativeAOT. Its compiler is a package; where no registry has it, the launcher is published as it was before
# there was one: compiled ahead (ReadyToRun) with its own runtime beside it, or at least so that it runs, and this is said here.
PUBLISH = $(DOTNET) publish launcher -c Release -r linux-x64 -p:DebugType=none -v quiet -o $(OUT)
$(OUT)/lguest: $(CS_SOURCES) | sdk
	@mkdir -p $(OUT)
	@echo "building the launcher (a minute or two, and longer the first time)"
	@if $(PUBLISH) -p:PublishAot=true -p:NativeDebugSymbols=true >$(OUT)/publish.log 2>&1; then \
		echo "out/lguest is ready"; \
	elif ! grep -q 'NU110[0-9]\|NU1301' $(OUT)/publish.log; then \
		cat $(OUT)/publish.log; exit 1; \
	elif $(PUBLISH) --self-contained true >$(OUT)/publish.log 2>&1; then \
		echo "note: the NativeAOT compiler is unavailable; out/lguest is ready, needs the files beside it, and starts slower"; \
	elif $(PUBLISH) --self-contained false >$(OUT)/publish.log 2>&1; then \
		echo "note: the packages to compile it ahead are unavailable; out/lguest is ready, needs .NET installed, and starts slower"; \
	elif grep -q NU1301 $(OUT)/publish.log; then \
		grep -m1 NU1301 $(OUT)/publish.log >&2; \
		echo "make: the packages that lguest is built with cannot be fetched: is there a network? (dotnet nuget list source)" >&2; exit 1; \
	else \
		cat $(OUT)/publish.log; exit 1; \
	fi
	@touch $@

guests:
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest V=$(V)

# The test run names a test that hangs and ends (tests/Support/RunWatch.cs); where even that hangs, the platform kills it after
# TEST_HANG without a result. Run by the assembly: through the project, MSBuild would keep the progress to itself.
TEST_HANG ?= 6m
test: all
	@echo "building the tests"
	@$(DOTNET) build tests -c Release -v quiet -nologo -clp:NoSummary
	@echo "running them: some two minutes on two idle processors, four on busy ones"
	@LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) test tests/bin/Release/net10.0/Lguest.Tests.dll \
		--logger lguest --logger "console;verbosity=quiet" --logger trx --results-directory $(OUT)/results \
		--blame:"CollectHangDump;TestTimeout=$(TEST_HANG);HangDumpType=None" $(if $(TEST_FILTER),--filter "$(TEST_FILTER)")

# Finds become files in tests/Fuzz/cases, where make test runs them again. FUZZ_ONLY=TARGET,TARGET, FUZZ_SEED=NUMBER, FUZZ_CASE=FILE.
FUZZ_TIME ?= 2m
fuzz: all
	@echo "building the tests"
	@$(DOTNET) build tests -c Release -v quiet -clp:ErrorsOnly
	@LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) exec tests/bin/Release/net10.0/Lguest.Tests.dll fuzz \
		$(if $(FUZZ_CASE),replay $(FUZZ_CASE),time=$(FUZZ_TIME) seed=$(FUZZ_SEED) only=$(FUZZ_ONLY) cases=$(CURDIR)/tests/Fuzz/cases)

run: all
	@test -f $(OUT)/scratch.img || dd if=/dev/zero of=$(OUT)/scratch.img bs=1M count=8 status=none
	$(OUT)/lguest $(MEMORY) --block=$(OUT)/scratch.img $(OUT)/guest/demo

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
