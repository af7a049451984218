# SPDX-License-Identifier: GPL-2.0-or-later
# make            out/lguest, and our own guests under out/guest/ (V=1 shows each file that is compiled)
# make run        boots the demo guest with a scratch disk; MEMORY=64m
# make test       all tests, in some minutes; TEST_FILTER=... runs some (see dotnet test --filter)
# make nativetest the engine's tests as a native program only; TEST_FILTER=FullyQualifiedName~...
# make fuzz       hostile input for two minutes; FUZZ_TIME=10m, FUZZ_ONLY=TARGET: docs/testing.md
# make bench      the benchmarks, in some minutes, to out/performance.md; BENCH=--help lists options (start: how fast things begin)
# make install    into PREFIX (/usr/local), below DESTDIR; make uninstall removes it again: docs/install.md
# make dist       out/dist/lguest-VERSION-linux-x86_64.tar.gz, which runs where it is unpacked
# make deb        out/dist/lguest_VERSION-1_amd64.deb, a Debian package
# make image      out/dist/lguest-VERSION-oci.tar, an OCI image of the program and the demo guest (podman load -i)
# make readme     README's table of options, from the program's own
# make tour       docs/tour.md, the story that the comments tell
# make instructions  docs/instructions.md's table, from the engine's own
# make format     applies the style that .ci/run checks
# make clean      removes everything that was built
# make help       this list

DOTNET ?= dotnet
OUT := out
MEMORY ?= 64m
PREFIX ?= /usr/local

# No telemetry, no banner; and no ICU library is needed on a machine that has none.
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT := 1

CS_SOURCES := $(shell find guestabi devices engine inspect launcher -name '*.cs' -not -path '*/obj/*' -not -path '*/bin/*') \
	$(wildcard */*.csproj) Directory.Build.props Directory.Packages.props aot.props
NATIVE_TEST_SOURCES := $(shell find guestabi engine nativetests tests/Contract tests/Differential tests/Engine tests/FloatingPoint \
	tests/Support \( -name '*.cs' -o -name '*.csproj' -o -name 'rd.xml' \) -not -path '*/obj/*' -not -path '*/bin/*') aot.props

.PHONY: all launcher guests tools sdk linker test nativetest fuzz run bench install uninstall dist deb image readme tour instructions format clean help
all: tools launcher guests

help:
	@sed -n '2,/^$$/s/^# //p' Makefile

launcher: $(OUT)/lguest

# What is missing is said before anything is built. Who installs what is built (sudo make install) needs none of it.
tools: sdk linker
	@$(MAKE) --no-print-directory -C guest compiler

sdk:
	@version=$$($(DOTNET) --version 2>/dev/null); case $$version in \
	[1-9][0-9].*) ;; \
	'') echo "make: there is no .NET SDK here ('$(DOTNET) --version' does not work): version 10 or newer is needed (https://dotnet.microsoft.com/download; DOTNET=PATH names one)" >&2; exit 1 ;; \
	*) echo "make: '$(DOTNET)' is version $$version: the .NET SDK 10 or newer is needed (https://dotnet.microsoft.com/download; DOTNET=PATH names another)" >&2; exit 1 ;; \
	esac

# The NativeAOT compiler links with clang, or else with gcc.
linker:
	@command -v clang >/dev/null || command -v gcc >/dev/null || \
		{ echo "make: there is no 'gcc' here, which lguest is linked with (apt-get install gcc libc6-dev)" >&2; exit 1; }
	@echo 'int main(void) { return 0; }' | $$(command -v clang || echo gcc) -x c -o /dev/null - -lm 2>/dev/null || \
		{ echo "make: '$$(command -v clang || echo gcc)' cannot link a C program: are the C library's headers there? (apt-get install libc6-dev)" >&2; exit 1; }

# One native program, or what comes nearest to it here.
$(OUT)/lguest: $(CS_SOURCES)
	@$(MAKE) --no-print-directory sdk linker
	@packaging/publish.sh $(DOTNET) $(OUT)
	@touch $@

guests:
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest V=$(V)

# The test run names a test that hangs and ends (tests/Support/RunWatch.cs); where even that hangs, the platform kills it after
# TEST_HANG without a result. Run by the assembly: through the project, MSBuild would keep the progress to itself.
TEST_HANG ?= 6m
NATIVE_TESTS := $(OUT)/native/Lguest.NativeTests
# A shell starts what it puts into the background with SIGINT ignored, and so would be every launcher that the tests interrupt.
test: all $(if $(TEST_FILTER),,$(NATIVE_TESTS))
	@echo "building the tests"
	@$(DOTNET) build tests -c Release -v quiet -nologo -clp:NoSummary
	@status=0; \
	if [ -z "$(TEST_FILTER)" ] && [ -s $(NATIVE_TESTS) ]; then \
		echo "running the engine's tests as a native program, some minutes on a busy machine"; \
		LGUEST_OUT=$(CURDIR)/$(OUT) $(NATIVE_TESTS) results $(OUT)/results/native.trx || status=1; \
	fi; \
	echo "running all tests: some two minutes on two idle processors, four on busy ones"; \
	LGUEST_OUT=$(CURDIR)/$(OUT) env --default-signal=HUP,INT,QUIT $(DOTNET) test tests/bin/Release/net10.0/Lguest.Tests.dll \
		--logger lguest --logger "console;verbosity=quiet" --logger trx --results-directory $(OUT)/results \
		--blame:"CollectHangDump;TestTimeout=$(TEST_HANG);HangDumpType=None" $(if $(TEST_FILTER),--filter "$(TEST_FILTER)") || status=1; \
	exit $$status

# The engine's suites compiled natively, as the launcher is.
nativetest: $(NATIVE_TESTS)
	@[ ! -s $(NATIVE_TESTS) ] || LGUEST_OUT=$(CURDIR)/$(OUT) $(NATIVE_TESTS) results $(OUT)/results/native.trx \
		$(if $(TEST_FILTER),filter "$(TEST_FILTER)")

# After the launcher: both publications build the engine. Without the compiler an empty file stands for it.
$(NATIVE_TESTS): $(NATIVE_TEST_SOURCES) | $(OUT)/lguest
	@mkdir -p $(OUT)/native
	@echo "building the native tests (a minute or two)"
	@if $(DOTNET) publish nativetests -c Release -r linux-x64 -p:PublishAot=true -p:NativeDebugSymbols=true -p:DebugType=none \
		-v quiet -o $(OUT)/native >$(OUT)/native/publish.log 2>&1; then \
		touch $@; \
	elif grep -q 'NU110[0-9]\|NU1301' $(OUT)/native/publish.log; then \
		echo "note: the NativeAOT compiler is unavailable: no test runs natively"; : >$@; \
	else \
		cat $(OUT)/native/publish.log; exit 1; \
	fi

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

install: launcher guests
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" packaging/install.sh install $(OUT)

uninstall:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" packaging/install.sh uninstall $(OUT)

dist deb image: launcher guests
	@OUT=$(OUT) packaging/$@.sh

bench: all
	LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) run --project bench -c Release -- $(BENCH)

# README's table of options, from the program's own.
readme: launcher
	$(OUT)/lguest document options.md >$(OUT)/options.md
	sed -i -e '/^<!-- options -->$$/r $(OUT)/options.md' -e '/^<!-- options -->$$/,/^<!-- \/options -->$$/{/^|/d}' README.md

# The page is checked by a test, as README's table is.
tour: sdk
	@$(DOTNET) build tests -c Release -v quiet -clp:ErrorsOnly
	@$(DOTNET) exec tests/bin/Release/net10.0/Lguest.Tests.dll tour

instructions: sdk
	LGUEST_WRITE_DOCUMENTS=1 $(DOTNET) test tests -c Release --filter FullyQualifiedName~InstructionCatalogTests.TheDocumentHasTheTable

format:
	$(DOTNET) format Lguest.sln

clean:
	rm -rf $(OUT) */bin */obj TestResults
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest clean
