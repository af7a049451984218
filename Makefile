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

.PHONY: all launcher guests test run bench format clean
all: launcher guests

launcher: $(OUT)/lguest

# ReadyToRun: compiled ahead, so that it starts fast. The compiler for that is a package; where no registry has it, the
# launcher is published without, starts slower, and says so here.
$(OUT)/lguest: $(CS_SOURCES)
	@mkdir -p $(OUT)
	@if $(DOTNET) publish launcher -c Release -r linux-x64 --self-contained false -p:PublishReadyToRun=true \
		-p:DebugType=none -v quiet -o $(OUT) >$(OUT)/publish.log 2>&1; then \
		echo "out/lguest is ready"; \
	elif grep -qi crossgen $(OUT)/publish.log; then \
		echo "note: no package Microsoft.NETCore.App.Crossgen2 to be had; out/lguest will start slower"; \
		$(DOTNET) publish launcher -c Release -r linux-x64 --self-contained false -p:DebugType=none -v quiet -o $(OUT); \
	else \
		cat $(OUT)/publish.log; exit 1; \
	fi
	@touch $@

guests:
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest

test: all
	LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) test tests -c Release --logger trx --results-directory $(OUT)/results \
		$(if $(TEST_FILTER),--filter "$(TEST_FILTER)")

run: all
	@test -f $(OUT)/scratch.img || dd if=/dev/zero of=$(OUT)/scratch.img bs=1M count=8 status=none
	$(OUT)/lguest $(MEMORY) $(OUT)/guest/demo --block=$(OUT)/scratch.img

bench: all
	LGUEST_OUT=$(CURDIR)/$(OUT) $(DOTNET) run --project bench -c Release -- $(BENCH)

format:
	$(DOTNET) format Lguest.sln

clean:
	rm -rf $(OUT) */bin */obj TestResults
	@$(MAKE) --no-print-directory -C guest OUT=$(CURDIR)/$(OUT)/guest clean
