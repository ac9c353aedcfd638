# What one does with a clone. CI runs the same: .ci/run.

CARGO ?= cargo
# Seeds of each scenario of `make evaluate`.
SEEDS ?= 50
# Seconds a target of `make fuzz`, and which targets (all when empty).
SECONDS ?= 60
TARGETS ?=

.PHONY: help setup demo test lint bench evaluate legs fuzz clean

help:
	@echo 'make demo    build farmhawk, analyse the demonstration captures, write a case folder'
	@echo 'make test    run all tests'
	@echo 'make lint    formatting, clippy, documentation'
	@echo 'make bench   what each stage costs, beside a bare libpcap loop'
	@echo 'make evaluate  every scenario of the laboratory over SEEDS=50 seeds against its truth, into EVALUATION.md'
	@echo 'make legs    round trips and hidden legs of the recorded sessions, the table of BENCHMARKS.md'
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

fuzz: setup
	$(CARGO) fuzz build --sanitizer none
	fuzz/run.sh $(SECONDS) $(TARGETS)

clean:
	$(CARGO) clean
	rm -rf fuzz/target fuzz/runs fuzz/seeds
