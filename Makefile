# Charlua. `make help` lists the targets.
VERSION := $(shell sed -n 's/^\#define VERSION "\(.*\)"/\1/p' core/charlua.c)
SOVERSION := 0
BUILD  ?= build
PREFIX ?= /usr/local
CC     ?= cc

LIB_PACKAGES  := gcc pkg-config liblua5.4-dev libev-dev libssl-dev lua-cjson-dev zlib1g-dev liburing-dev libcurl4-openssl-dev libunistring-dev
TEST_PACKAGES := libcmocka-dev chromium lua-check clang clang-format curl openssl locales
# The clients of tests/e2e/peers.
PEER_PACKAGES := python3-tornado python3-websocket libmojolicious-perl libio-socket-ssl-perl golang-go \
                 golang-github-gorilla-websocket-dev

# Is there a node, and is it new enough?
NODE18 := node -e 'process.exit(+(parseInt(process.versions.node) < 18))' 2>/dev/null
LINT_PACKAGES := clang-tidy cppcheck valgrind
SSL_PACKAGES := testssl.sh openssl
BENCH_PACKAGES := nginx libnginx-mod-nchan valgrind

# With liburing there, a turn's sends are one system call; without it each is one of its own.
URING    := $(shell pkg-config --exists liburing 2>/dev/null && echo liburing)
PKGS     := lua5.4 lua5.4-cjson libssl libcrypto zlib libcurl $(URING)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wmissing-prototypes
HARDEN   := -fstack-protector-strong -fPIE
LINKHARD := -Wl,-z,relro,-z,now
# SAN=address,undefined or SAN=thread makes a sanitizer build; give it a BUILD of its own.
ifdef SAN
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
# Some kernels randomise addresses over more bits than the sanitizers' maps leave free.
STILL := $(shell setarch -R true 2>/dev/null && echo setarch -R)
else
OPT := -O2 -g -D_FORTIFY_SOURCE=2
endif
ifdef CI
WERROR := -Werror
endif
CPPFLAGS += -Icore -D_GNU_SOURCE $(URING:%=-DCHARLUA_URING) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   += -std=c11 $(OPT) $(WARNINGS) $(WERROR) $(HARDEN) -fvisibility=hidden -pthread -MMD -MP
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lev -lunistring -lm

SOURCES  := $(filter-out core/main.c,$(wildcard core/*.c core/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
PIC      := $(SOURCES:%.c=$(BUILD)/pic/%.o)
# The part that links without libev, Lua and libssl, which the unit tests prove by doing so.
BARE     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/base/*.c core/wire/*.c) \
              $(patsubst %,core/room/%.c,topic bundle roster slots pace waits) core/script/timers.c \
              core/net/outq.c $(wildcard core/net/conn*.c) core/net/page.c core/net/file.c core/net/request.c core/net/listen.c)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
UNITHELP := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
SO       := libcharlua.so.$(SOVERSION)

FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 20
FUZZ_JOBS    ?= 2
# The one client of tests/e2e/peers that has to be built.
GOPEER       := $(BUILD)/peers/gorilla_client
GOCODE       := /usr/share/gocode
# Files of tests at a time.
E2E_JOBS     ?= 2

.PHONY: all help deps deps-test run test check lint testssl valgrind unit rules e2e conformance examples torture torture-small soak bench bench-quick bench-instructions bench-baseline sanitize fuzz install uninstall clean format
.DELETE_ON_ERROR:

all: $(BUILD)/charlua $(BUILD)/libcharlua.a $(BUILD)/libcharlua.so ## build the program and the libraries

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

$(BUILD)/charlua: $(BUILD)/core/main.o $(BUILD)/libcharlua.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pie $(LINKHARD) -o $@ $^ $(LIBS)

$(BUILD)/libcharlua.a: $(OBJECTS)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/libcharlua.so: $(PIC)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared $(LINKHARD) -Wl,-soname,$(SO) -Wl,--no-undefined -o $(BUILD)/$(SO) $^ $(LIBS)
	ln -sf $(SO) $@

$(BUILD)/%.o: %.c | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/pic/%.o: %.c | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -c -o $@ $<

# These have a Lua file of the same name in them.
$(BUILD)/core/play/inspect.o $(BUILD)/pic/core/play/inspect.o: core/play/inspect.lua
$(BUILD)/core/play/testing.o $(BUILD)/pic/core/play/testing.o: core/play/testing.lua

.PHONY: tools
tools:
	@{ command -v $(firstword $(CC)) && pkg-config --exists $(PKGS) && test -f /usr/include/ev.h && test -f /usr/include/uninorm.h; } >/dev/null 2>&1 || \
	  { echo 'The compiler ($(CC)) or libraries are missing: "make deps" installs them (Debian 12).' >&2; exit 1; }

TELL := { echo 'What the tests need is missing: "make deps-test" installs it (Debian 12).' >&2; exit 1; }
.PHONY: have-cmocka have-clang have-node have-modules have-go
have-cmocka:
	@test -f /usr/include/cmocka.h || $(TELL)
have-clang:
	@command -v clang >/dev/null && command -v clang-format >/dev/null || $(TELL)
have-go:
	@command -v go >/dev/null && test -d $(GOCODE)/src/github.com/gorilla/websocket || $(TELL)
have-node:
	@$(NODE18) || $(TELL)
have-modules: have-node
	@test -d tests/e2e/node_modules/ws || $(TELL)

# Asks apt for what is missing of $(1), and only then.
define install
	@missing=; for p in $(1); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "Installing:$$missing"; \
	  if [ "$$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; \
	  else echo "Say as root: apt-get install$$missing" >&2; exit 1; fi; \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
endef

deps: ## install the libraries that the build needs
	$(call install,$(LIB_PACKAGES))

deps-test: deps ## install what the tests need beside them
	$(call install,$(TEST_PACKAGES) $(PEER_PACKAGES) libclang-rt-14-dev)
	@$(NODE18) && command -v npm >/dev/null || \
	  { $(MAKE) -s deps-node; }
	@cd tests/e2e && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --loglevel=error --no-audit --no-fund; }

.PHONY: deps-node
deps-node:
	$(call install,nodejs npm)

run: deps ## install what is missing, build, and serve the default chat
	@$(MAKE) -s $(BUILD)/charlua
	$(BUILD)/charlua --watch $(ARGS)

test: deps-test ## install what is missing, build, and run every test
	@$(MAKE) -s -j2 all examples
	@$(MAKE) -s check
	@$(MAKE) -s unit
	@$(MAKE) -s rules
	@$(MAKE) -s e2e
	@$(MAKE) -s conformance
	@$(MAKE) -s torture-small
	@$(MAKE) -s bench-instructions
	@$(MAKE) -s sanitize
	@$(MAKE) -s fuzz

check: ## formatting, luacheck, layers, documents
	tests/check.sh

.PHONY: deps-lint
deps-lint: deps-test
	$(call install,$(LINT_PACKAGES))

lint: deps-lint ## read the C sources with gcc -fanalyzer, clang-tidy and cppcheck
	tests/lint.sh

valgrind: deps-lint ## the end-to-end tests of the protocol, of order and of reloads under memcheck
	@$(MAKE) -s -j2 $(BUILD)/charlua
	CHARLUA_BUILD=$(abspath $(BUILD)) CHARLUA_BIN=$(abspath tests/valgrind.sh) CHARLUA_DEADLINE_MS=120000 \
	  node --test --test-concurrency=1 $(addprefix tests/e2e/,$(addsuffix .test.mjs,capture chat order reload))

testssl: deps ## testssl.sh finds nothing at the encrypted listener, with an RSA and with an ECDSA certificate
	$(call install,$(SSL_PACKAGES))
	@$(MAKE) -s -j2 $(BUILD)/charlua
	BUILD=$(BUILD) tests/testssl.sh

rules: $(BUILD)/charlua ## check and test the rules in scripts/ and examples/, as their authors would
	@for r in $$(grep -l 'api = 1' scripts/*.lua examples/*.lua | grep -v -e _test.lua -e examples/ops.lua); do \
	  out=$$($(BUILD)/charlua check $$r) && ! echo "$$out" | grep -q ': warning: ' || { echo "$$out"; exit 1; }; done
	$(BUILD)/charlua test $(wildcard scripts/*_test.lua examples/*_test.lua)

unit: $(UNIT) ## run the unit tests
	@for t in $(UNIT); do echo "== $$t"; UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(STILL) $$t || exit 1; done

$(UNITHELP): CPPFLAGS += -Itests/unit
$(UNITHELP): | have-cmocka

$(BUILD)/unit/%: tests/unit/%.c $(UNITHELP) $(BARE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/unit -o $@ $< $(filter %.o,$^) -lcmocka -lcrypto -lz $(UNITLIBS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

# Those that compare with Lua's own libraries, and what they need.
$(BUILD)/unit/test_pattern $(BUILD)/unit/test_guard $(BUILD)/unit/test_locale $(BUILD)/unit/test_vm: $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/loader.c %/trusted.c,$(wildcard core/lua/*.c)))
$(BUILD)/unit/test_pattern $(BUILD)/unit/test_guard $(BUILD)/unit/test_locale $(BUILD)/unit/test_vm: UNITLIBS := $(shell pkg-config --libs lua5.4 lua5.4-cjson 2>/dev/null) -lm

$(BUILD)/unit/test_name_key: $(BUILD)/core/script/name_key.o
$(BUILD)/unit/test_name_key: UNITLIBS := -lunistring

# The one that is an embedding program.
$(BUILD)/unit/test_embed: tests/unit/test_embed.c $(UNITHELP) $(BUILD)/libcharlua.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/unit -o $@ $< $(UNITHELP) $(BUILD)/libcharlua.a -lcmocka $(LIBS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

e2e: $(BUILD)/charlua $(GOPEER) examples | have-modules ## run the end-to-end tests
	CHARLUA_BUILD=$(abspath $(BUILD)) $(STILL) node --test --test-concurrency=$(E2E_JOBS) tests/e2e/*.test.mjs

# Without a network and modules: what Debian installs is in GOCODE.
$(GOPEER): tests/e2e/peers/gorilla_client.go | have-go
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=$(GOCODE) go build -o $@ $<

conformance: $(BUILD)/charlua | have-node ## run the rules of the RFCs on bare sockets
	CHARLUA_BUILD=$(abspath $(BUILD)) node --test tests/conformance/*.test.mjs

examples: $(EXAMPLES) ## build the examples

$(BUILD)/examples/%: examples/%.c $(BUILD)/libcharlua.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(BUILD)/libcharlua.a $(LIBS)

TORTURE      := $(BUILD)/torture/torture $(BUILD)/torture/shim.so $(BUILD)/torture/alloc.so $(BUILD)/torture/meter.so
TORTURERS    := $(addprefix tests/torture/,torture.c client.c frame.c garbage.c server.c wire.c torture.h)
TORTURER     := $(BUILD)/torture/torture -p $(abspath $(BUILD))/torture/meter.so
TORTURING    := --max-connections 0 --max-per-address 0 --max-connect-rate 0 --handler-time 2000
TORTURED     := $(BUILD)/charlua $(TORTURING)
SHIMMED      := CHARLUA_BUILD=$(abspath $(BUILD)) CHARLUA_BIN=$(abspath tests/torture/shimmed.sh) CHARLUA_DEADLINE_MS=60000 \
                node --test tests/e2e/order.test.mjs tests/e2e/chat.test.mjs
SOAK_SECONDS ?= 600

torture: $(BUILD)/charlua $(TORTURE) ## 10,000 clients, many of them hostile, 2,000 over TLS and compressed; the end-to-end tests on awkward system calls
	@for threads in 0 3; do $(TORTURER) -c 10000 -w 2 -m 10 $(TORTURED) --threads $$threads || exit 1; done
	@for threads in 0 3; do $(TORTURER) -t -z -c 2000 -m 10 $(TORTURED) --threads $$threads || exit 1; done
	@for seed in 1 2 3 4 5; do echo "== SHIM_SEED=$$seed"; \
	  SHIM_SEED=$$seed CHARLUA_BUILD=$(abspath $(BUILD)) $(BUILD)/torture/torture -t -z -c 200 -m 5 tests/torture/shimmed.sh $(TORTURING) --threads 3 || exit 1; \
	  SHIM_SEED=$$seed $(SHIMMED) tests/e2e/capture.test.mjs tests/e2e/wire.test.mjs || exit 1; done

torture-small: $(BUILD)/charlua $(TORTURE) ## the same with 500 clients
	@for threads in 0 3; do $(TORTURER) -c 500 -w 2 -m 10 $(TORTURED) --threads $$threads || exit 1; done
	@for threads in 0 3; do $(TORTURER) -t -z -c 200 -w 2 -m 5 $(TORTURED) --threads $$threads || exit 1; done
	SHIM_SEED=1 $(SHIMMED)
	CHARLUA_BUILD=$(abspath $(BUILD)) node --test tests/torture/alloc.test.mjs

soak: $(BUILD)/charlua $(TORTURE) ## 10,000 clients for SOAK_SECONDS (600), with the curve of the memory in build/soak.csv
	$(TORTURER) -c 10000 -s $(SOAK_SECONDS) -r 400 -o $(BUILD)/soak.csv $(TORTURED)

$(BUILD)/torture/%.so: tests/torture/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c11 -O2 -g $(WARNINGS) $(WERROR) -fPIC -shared -pthread -o $@ $< -ldl

$(BUILD)/torture/torture: $(TORTURERS)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c11 -O2 -g $(WARNINGS) $(WERROR) -o $@ $(filter %.c,$^) -lssl -lcrypto -lz

BENCH := $(BUILD)/bench/load $(BUILD)/bench/bare

.PHONY: deps-bench
deps-bench: deps-test ## install what the benchmark compares with
	$(call install,$(BENCH_PACKAGES))

bench: deps-bench ## what everything costs, beside nginx with nchan, node with ws, and bare sockets; half an hour
	@$(MAKE) -s -j2 $(BUILD)/charlua $(BENCH)
	CHARLUA_BUILD=$(abspath $(BUILD)) node tests/bench/run.mjs $(ARGS)

bench-quick: $(BUILD)/charlua $(BENCH) | have-modules ## the same in a minute: one round of what is said
	CHARLUA_BUILD=$(abspath $(BUILD)) node tests/bench/run.mjs --quick $(ARGS)

bench-instructions: deps-test ## count instructions a message and delivery; more than 3 % above the baseline fail
	$(call install,valgrind)
	@$(MAKE) -s -j2 $(BUILD)/charlua $(BENCH)
	CHARLUA_BUILD=$(abspath $(BUILD)) node tests/bench/instructions.mjs

bench-baseline: deps-bench ## write tests/bench/baseline.json anew
	@$(MAKE) -s -j2 $(BUILD)/charlua $(BENCH)
	CHARLUA_BUILD=$(abspath $(BUILD)) node tests/bench/instructions.mjs --update

$(BUILD)/bench/load: $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/bench/bare.c,$(wildcard tests/bench/*.c)))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lssl -lcrypto -lz

$(BUILD)/bench/bare: $(BUILD)/tests/bench/bare.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^

sanitize: ## the unit and end-to-end tests under ASan+UBSan (threads 0) and TSan (threads 3); THREADS=0,1,3: in all placements
	@$(MAKE) -s -j2 -Otarget sanitize-address sanitize-thread

.PHONY: sanitize-address sanitize-thread
sanitize-address: SAN := address,undefined
sanitize-address: THREADS := 0
sanitize-thread:  SAN := thread
sanitize-thread:  THREADS := 3
sanitize-address sanitize-thread: sanitize-%:
	@$(MAKE) -s BUILD=$(BUILD)/$* SAN=$(SAN) $(BUILD)/$*/charlua examples
	@$(MAKE) -s BUILD=$(BUILD)/$* SAN=$(SAN) unit
	@CHARLUA_DEADLINE_MS=60000 CHARLUA_ONLY_THREADS=$(THREADS) E2E_JOBS=1 $(MAKE) -s BUILD=$(BUILD)/$* SAN=$(SAN) e2e

fuzz: | have-clang ## fuzz every parser for FUZZ_SECONDS (20) each, under ASan+UBSan
	@$(MAKE) -s -j2 BUILD=$(BUILD)/fuzz CC=clang SAN=address,undefined,fuzzer-no-link $(FUZZERS:%=$(BUILD)/fuzz/%)
	@$(MAKE) -s -j$(FUZZ_JOBS) -Otarget $(FUZZERS:%=run-%)

# Runs FUZZ_SECONDS on its committed corpus; what it finds new stays in build/fuzz/corpus.
.PHONY: $(FUZZERS:%=run-%)
$(FUZZERS:%=run-%): run-%:
	@echo "== $*"; mkdir -p $(BUILD)/fuzz/corpus/$*
	@$(BUILD)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
	  -artifact_prefix=$(BUILD)/fuzz/ $(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) \
	  $(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/libcharlua.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz -fsanitize=fuzzer -o $@ $< $(BUILD)/libcharlua.a $(LIBS)

# Made each time: PREFIX may be another one now. Without libcurl.pc, which asks for everything that a static libcurl
# would need.
$(BUILD)/charlua.pc: tools
	@mkdir -p $(@D)
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: charlua' 'Description: WebSocket chat server with rules in Lua' \
	  'Version: $(VERSION)' 'Requires.private: $(filter-out libcurl,$(PKGS))' 'Libs: -L$${prefix}/lib -lcharlua' \
	  'Libs.private: -lcurl -lev -lunistring -lm -pthread' 'Cflags: -I$${prefix}/include' >$@

# Files that people change where they are installed: rules, the page, units. They are staged as they will lie below
# PREFIX, units with its paths. The manifest has their digests as they were installed, by which a changed one is known.
STAGE    := $(BUILD)/stage
TO       := $(DESTDIR)$(PREFIX)
MANIFEST := $(TO)/share/charlua/.installed

.PHONY: stage
stage:
	@rm -rf $(STAGE) && install -d $(addprefix $(STAGE)/,share/charlua/public share/charlua/types/charlua lib/systemd/system)
	@install -m644 scripts/*.lua scripts/README.md $(STAGE)/share/charlua/
	@install -m644 scripts/public/* $(STAGE)/share/charlua/public/
	@install -m644 scripts/types/*.lua $(STAGE)/share/charlua/types/
	@install -m644 scripts/types/charlua/*.lua $(STAGE)/share/charlua/types/charlua/
	@for unit in charlua.service charlua.socket; do \
	  sed 's#/usr/local#$(PREFIX)#g' examples/$$unit >$(STAGE)/lib/systemd/system/$$unit; done

# In sh: `digest FILE`, and whether the file at $$f below PREFIX is as it was installed, by the manifest or by what is staged.
KEPT := digest() { sha256sum <"$$1" | cut -d" " -f1; }; \
	is_ours() { cmp -s "$(STAGE)/$$f" "$(TO)/$$f" || \
	  { [ -f "$(MANIFEST)" ] && grep -qxF "$$(digest "$(TO)/$$f")  $$f" "$(MANIFEST)"; }; }; \
	staged() { (cd $(STAGE) && find * -type f | LC_ALL=C sort); }; \
	installed() { { staged; sed "s/^[^ ]*  //" "$(MANIFEST)" 2>/dev/null || true; } | LC_ALL=C sort -u; };

install: all stage $(BUILD)/charlua.pc ## install below PREFIX (default /usr/local), under DESTDIR; what was changed there stays
	install -d $(addprefix $(TO)/,bin lib/pkgconfig include share/doc/charlua)
	install -m755 $(BUILD)/charlua $(TO)/bin/
	install -m644 $(BUILD)/libcharlua.a $(BUILD)/$(SO) $(TO)/lib/
	ln -sf $(SO) $(TO)/lib/libcharlua.so
	install -m644 core/charlua.h $(TO)/include/
	install -m644 $(BUILD)/charlua.pc $(TO)/lib/pkgconfig/
	install -m644 README.md LICENSE $(TO)/share/doc/charlua/
	@$(KEPT) installed | while read -r f; do \
	  if [ ! -e "$(STAGE)/$$f" ]; then \
	    [ ! -e "$(TO)/$$f" ] || ! is_ours || rm -f "$(TO)/$$f"; \
	  elif [ -e "$(TO)/$$f" ] && ! is_ours; then \
	    install -m644 "$(STAGE)/$$f" "$(TO)/$$f.new"; \
	    echo "$(TO)/$$f was changed and stays as it is; the new one is $(TO)/$$f.new"; \
	  else install -D -m644 "$(STAGE)/$$f" "$(TO)/$$f" && rm -f "$(TO)/$$f.new" || exit 1; fi; done
	@cd $(STAGE) && find * -type f | LC_ALL=C sort | xargs sha256sum >"$(abspath $(BUILD))/manifest"
	@install -m644 $(BUILD)/manifest "$(MANIFEST)"

uninstall: stage ## remove what install put there, but for what was changed
	rm -f $(addprefix $(TO)/,bin/charlua lib/libcharlua.a lib/$(SO) lib/libcharlua.so include/charlua.h lib/pkgconfig/charlua.pc)
	rm -f $(addprefix $(TO)/share/doc/charlua/,README.md LICENSE)
	@$(KEPT) installed | while read -r f; do \
	  rm -f "$(TO)/$$f.new"; \
	  if [ -e "$(TO)/$$f" ] && is_ours; then rm -f "$(TO)/$$f"; \
	  elif [ -e "$(TO)/$$f" ]; then echo "$(TO)/$$f was changed and stays"; fi; done
	@rm -f "$(MANIFEST)"
	@for d in types/charlua types public .; do rmdir "$(TO)/share/charlua/$$d" 2>/dev/null || true; done
	@rmdir "$(TO)/share/charlua" "$(TO)/share/doc/charlua" 2>/dev/null || true

format: | have-clang ## format the C sources
	clang-format -i core/*.[ch] core/*/*.[ch] tests/unit/*.[ch] tests/bench/*.[ch] $(wildcard examples/*.c)

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
