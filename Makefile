# What one does with a clone. CI runs the same: .ci/run.

CARGO ?= cargo
# Seeds of each scenario of `make evaluate`.
SEEDS ?= 50
# Seconds a target of `make fuzz`, and which targets (all when empty).
SECONDS ?= 60
TARGETS ?=
# Sessions of `make legs-direct` and `make legs-relayed`, how many at once, and what the list of them follows from.
SESSIONS ?= 380
RELAYED ?= 48
AT_ONCE ?= 12
SEED ?= 1

.PHONY: help setup demo test lint bench evaluate legs legs-direct legs-relayed fuzz clean

help:
	@echo 'make demo    build farmhawk, analyse the demonstration captures, write a case folder'
	@echo 'make test    run all tests'
	@echo 'make lint    formatting, clippy, documentation'
	@echo 'make bench   what each stage costs, beside a bare libpcap loop'
	@echo 'make evaluate  every scenario of the laboratory over SEEDS=50 seeds against its truth, into EVALUATION.md'
	@echo 'make legs    round trips and hidden legs of the recorded sessions, the table of BENCHMARKS.md'
	@echo 'make legs-direct   record SESSIONS=380 direct sessions (root, an hour) and count in how many a hidden leg is claimed'
	@echo 'make legs-relayed  record RELAYED=48 sessions behind relays (root, half an hour) and count in how many it is found'
	@echo 'make fuzz    fuzz every reader, decoder and dissector (needs cargo-fuzz): SECONDS=60 TARGETS="tls quic"'
	@echo 'make setup   install what the build needs and the machine lacks: libpcap, a C compiler'
	@echo 'make clean   remove everything that was built'

setup:
	@.ci/setup

demo: setup
	$(CARGO) build --release --locked
	./target/release/farmhawk analyze fixtures/demo --assets fixtures/demo/inventory.csv \
		--policy fixtures/demo/policy.toml --out target/demo-case --force
	@echo
	@echo 'The case folder is target/demo-case: open target/demo-case/report.html in a browser.'

test: setup
	$(CARGO) test --locked

lint: setup
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --no-deps --locked

bench: setup
	$(CARGO) bench --locked

evaluate: setup
	$(CARGO) run --release --locked --example evaluate -- $(SEEDS)

legs: setup
	$(CARGO) test --locked --test behaviour legs -- --nocapture

legs-direct: setup
	fixtures/survey.sh target/legs-direct direct $(SESSIONS) $(AT_ONCE) $(SEED)
	FARMHAWK_SURVEY=target/legs-direct $(CARGO) test --locked --test behaviour survey -- --ignored --nocapture

legs-relayed: setup
	fixtures/survey.sh target/legs-relayed relayed $(RELAYED) 4 $(SEED)
	FARMHAWK_SURVEY=target/legs-relayed $(CARGO) test --locked --test behaviour survey -- --ignored --nocapture

fuzz: setup
	$(CARGO) fuzz build --sanitizer none
	fuzz/run.sh $(SECONDS) $(TARGETS)

clean:
	$(CARGO) clean
	rm -rf fuzz/target fuzz/runs fuzz/seeds
