# The one front door of bedrock-audit: `make help` lists what it opens. CI calls the same targets.
# Tools are installed here: Python's in .venv/<family>, others in .tools, both ignored by git. What cross-compiling leaves
# outside of this folder is told at `build`.

PYTHON ?= python3
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
BOOTSTRAP := $(TARGET_DIR)/release/bootstrap

# One environment a family: together they pull each other's versions down.
TESTS_VENV := $(CURDIR)/.venv/tests
TEMPLATE_VENV := $(CURDIR)/.venv/template
CHECKOV_VENV := $(CURDIR)/.venv/checkov
SIGMA_VENV := $(CURDIR)/.venv/sigma
OPERATIONS_VENV := $(CURDIR)/.venv/operations
BENCH_VENV := $(CURDIR)/.venv/bench
LAMBDA_VENV := $(CURDIR)/.venv/lambda
# A binary names in its messages the files that it was made of; where they lay on the machine that built it is nobody's business.
# The processor is the one that cargo-lambda chooses for arm64, as long as there are no RUSTFLAGS.
FOR_LAMBDA := RUSTFLAGS="-C target-cpu=neoverse-n1 --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo --remap-path-prefix=$(CURDIR)=. $(RUSTFLAGS)"
WITH_LAMBDA_TOOLS := PATH="$(LAMBDA_VENV)/bin:$$PATH"
# In this order: cargo-lambda finds zig by asking the first python3 for it.
WITH_SAM_TOOLS := SAM_CLI_TELEMETRY=0 PATH="$(LAMBDA_VENV)/bin:$(TEMPLATE_VENV)/bin:$$PATH"

DENY_VERSION := 0.20.2
DENY := $(CURDIR)/.tools/bin/cargo-deny
DENY_STAMP := .tools/cargo-deny-$(DENY_VERSION)
FUZZ_VERSION := 0.13.2
FUZZ_STAMP := .tools/cargo-fuzz-$(FUZZ_VERSION)
FUZZ_TARGETS := rule_loading record_evaluation delivered_log deflate notification finding sns_message
CYCLONEDX_VERSION := 0.5.9
CYCLONEDX_STAMP := .tools/cargo-cyclonedx-$(CYCLONEDX_VERSION)
SBOM := $(TARGET_DIR)/lambda/bootstrap/bootstrap.cdx.json

EXAMPLE_LOG := events/logs/delete-guardrail.json

.DELETE_ON_ERROR:
# The targets share one cargo target folder; side by side they would only wait for each other.
.NOTPARALLEL:
.PHONY: help run test faults check build invoke scan deploy smoke bench bench-count bench-start bench-cost hostile fuzz operations docs fmt clean
.PHONY: bootstrap sbom check-code check-rules check-arrows check-dependencies check-advisories check-template check-pages needs-python needs-EVENT needs-LOG needs-STACK

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: needs-python .venv/tests/.done bootstrap ## Show it at work: sample logs through the real Lambda binary on local AWS
	@$(TESTS_VENV)/bin/python tests/local/run.py --bootstrap $(BOOTSTRAP)

# All targets first: the tests run the command line, and one set of features keeps cargo from building everything twice.
test: needs-python .venv/tests/.done .venv/sigma/.done bootstrap ## Run every test, the end-to-end ones on local AWS included
	cargo build --workspace --all-targets --locked
	BEDROCK_AUDIT_BOOTSTRAP=$(BOOTSTRAP) BEDROCK_AUDIT_PYTHON=$(TESTS_VENV)/bin/python \
		BEDROCK_AUDIT_SIGMA_PYTHON=$(SIGMA_VENV)/bin/python cargo test --workspace --locked
	BEDROCK_AUDIT_BOOTSTRAP=$(BOOTSTRAP) $(TESTS_VENV)/bin/python -m unittest discover --buffer --start-directory tests/local
	$(TESTS_VENV)/bin/python -m unittest discover --buffer --start-directory tests/deployed
	$(TESTS_VENV)/bin/python -m unittest discover --buffer --start-directory tests/bench
	$(TESTS_VENV)/bin/python -m unittest discover --buffer --start-directory shared/detection/data

# The same bench as in `test`, for longer. SEED=2 draws other runs; RUNS=1000 fewer.
faults: needs-python .venv/tests/.done bootstrap ## Inject faults at every edge, 5,000 times, and see that nothing is lost: [RUNS=…] [SEED=…]
	BEDROCK_AUDIT_FAULT_RUNS=$(or $(RUNS),5000) BEDROCK_AUDIT_FAULT_PROCESS_RUNS=60 \
		BEDROCK_AUDIT_FAULT_SEED=$(or $(SEED),1) \
		BEDROCK_AUDIT_BOOTSTRAP=$(BOOTSTRAP) BEDROCK_AUDIT_PYTHON=$(TESTS_VENV)/bin/python \
		cargo test --package bedrock-audit-tests --locked -- --nocapture --test-threads 1 faults::

check: check-code check-rules check-pages check-arrows check-dependencies check-advisories check-template ## Check form, lints, rules, pages, dependencies and the template

# Two things outlive `make clean`: cargo-lambda adds the target aarch64-unknown-linux-gnu to the Rust toolchain, and zig and
# cargo-zigbuild keep caches in the user's cache folder (~/.cache). `deploy` does the same.
build: needs-python .venv/lambda/.done $(CYCLONEDX_STAMP) ## Build the zip that Lambda runs (arm64) and its list of parts (SBOM): target/lambda/bootstrap/
	$(FOR_LAMBDA) $(WITH_LAMBDA_TOOLS) cargo lambda build --release --locked --arm64 --output-format zip \
		--package bedrock-audit-detector --bin bootstrap
	@$(MAKE) --no-print-directory sbom

invoke: needs-EVENT needs-python .venv/tests/.done .venv/lambda/.done bootstrap ## Run one event through cargo-lambda: EVENT=events/notifications/s3-put.json [LOG=…]
	@$(WITH_LAMBDA_TOOLS) $(TESTS_VENV)/bin/python tests/local/invoke.py \
		--event $(EVENT) --log $(or $(LOG),$(EXAMPLE_LOG))

# Exit status 1 says that something was found, which is no failure of make's; 2 says that something could not be read.
scan: needs-LOG ## Scan logs on this disk with the command line: LOG=events/logs/delete-guardrail.json
	@cargo run --release --locked --quiet --package bedrock-audit -- scan $(LOG); \
		status=$$?; [ $$status -eq 1 ] || exit $$status

deploy: needs-python .venv/template/.done .venv/lambda/.done ## Build and deploy the stack with SAM, which asks for what it needs
	$(FOR_LAMBDA) $(WITH_SAM_TOOLS) sam build
	$(WITH_SAM_TOOLS) sam deploy --guided

smoke: needs-STACK needs-python .venv/tests/.done ## Send a test finding through a deployed stack: STACK=bedrock-audit
	@$(TESTS_VENV)/bin/python tests/deployed/smoke.py --stack $(STACK)

# Whole processes beside it are those that are installed: `apt-get install isal jq` for igzip and jq.
bench: needs-python .venv/bench/.done ## Measure what reading a trail costs, against unzipping it and against other tools
	cargo build --release --locked --package bedrock-audit-bench --package bedrock-audit
	@$(TARGET_DIR)/release/bench ratios
	@$(TARGET_DIR)/release/bench load
	@$(TARGET_DIR)/release/bench reach
	@$(TARGET_DIR)/release/bench files $(TARGET_DIR)/bench-files >/dev/null
	@$(BENCH_VENV)/bin/python tests/bench/processes.py --binary $(TARGET_DIR)/release/bedrock-audit \
		--files $(TARGET_DIR)/bench-files --chart docs/speed.svg

# Under valgrind: where it is not installed, Debian's package is unpacked into .tools. Where there is none, it says NOT COUNTED.
bench-count: needs-python ## Count the instructions that a record costs, and fail if they are 5 % more: [WRITE=yes] take them over
	cargo build --release --locked --package bedrock-audit-bench
	@$(PYTHON) tests/bench/counts.py --bench $(TARGET_DIR)/release/bench $(if $(WRITE),--write)

bench-start: needs-python .venv/tests/.done bootstrap ## Measure cold start, memory and size of the Lambda binary
	@$(TESTS_VENV)/bin/python tests/local/bench_start.py --bootstrap $(BOOTSTRAP)

# Hostile files need a minute or two to be made: what they unpack to is hundreds of megabytes each.
hostile: needs-python .venv/tests/.done bootstrap ## Measure what the most hostile logs cost the Lambda binary: fails above 64 MB or 5 s of CPU
	@$(TESTS_VENV)/bin/python tests/local/hostile.py --bootstrap $(BOOTSTRAP)

# Without a sanitizer it builds with the stable toolchain: what is looked for are broken promises, and the one crate with unsafe
# code that reads what others write is the parser of YAML. What is found lies in tests/fuzz/artifacts; what was learned, in
# tests/fuzz/corpus. Neither is committed.
fuzz: $(FUZZ_STAMP) ## Run each fuzz target for a minute: [SECONDS=600] [TARGET=rule_loading]
	@export PATH="$(CURDIR)/.tools/bin:$$PATH" CARGO_TARGET_DIR="$(TARGET_DIR)/fuzz" && \
	cargo fuzz build --fuzz-dir tests/fuzz --sanitizer none && \
	for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
		seeds="$$(sed -n "s/^$$target: //p" tests/fuzz/seeds.txt)" && mkdir -p tests/fuzz/corpus/$$target && \
		cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target tests/fuzz/corpus/$$target $$seeds -- \
			-max_total_time=$(or $(SECONDS),60) -timeout=25 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 || exit 1; \
	done

# It fails where AWS changed something, as a comparison of files does. Without its stamp, an environment with the newest botocore
# is made anew for the pinned one.
operations: needs-python .venv/operations/.done ## Compare the catalogue with AWS's models: [NEWEST=yes] the newest ones, [WRITE=yes] take them over
	@[ -z "$(NEWEST)" ] || { rm .venv/operations/.done; \
		$(OPERATIONS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade botocore; }
	@$(OPERATIONS_VENV)/bin/python shared/detection/data/operations.py $(if $(WRITE),--write)

docs: ## Write anew what is computed from the rules: docs/rules, docs/coverage.md, the last column of the catalogue
	cargo run --locked --quiet --package bedrock-audit -- rules pages rules docs/rules
	BEDROCK_AUDIT_WRITE_PAGES=1 cargo test --locked --quiet --package bedrock-audit-tests coverage::pages_are_up_to_date

bench-cost: needs-python .venv/tests/.done bootstrap ## Measure the CPU time that files, records and rules cost the Lambda binary
	@$(TESTS_VENV)/bin/python tests/local/bench_cost.py --bootstrap $(BOOTSTRAP)

fmt: ## Format the Rust code
	cargo fmt --all

clean: ## Remove everything that was built or installed here
	cargo clean
	rm -rf .venv .tools .aws-sam

bootstrap:
	cargo build --release --locked --package bedrock-audit-detector --bin bootstrap

# Of the lockfile, for what is deployed, without what only builds it: all that is linked, and a few crates of features that
# other members of the workspace switch on. The tool writes beside the manifest of every package with a binary, and names
# them by the folder that it found them in, which is nobody's business.
sbom: $(CYCLONEDX_STAMP)
	@mkdir -p $(dir $(SBOM))
	PATH="$(CURDIR)/.tools/bin:$$PATH" cargo cyclonedx --quiet --manifest-path functions/detector/Cargo.toml \
		--target aarch64-unknown-linux-gnu --describe binaries --no-build-deps --format json --spec-version 1.5
	sed 's|file://$(CURDIR)|file://.|g' functions/detector/bootstrap_bin.cdx.json > $(SBOM)
	@rm -f */*_bin.cdx.json */*/*_bin.cdx.json

check-code:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# A built-in rule needs a proof, of two cases that match and two that do not at least, and the proof must hold.
check-rules:
	cargo run --locked --quiet --package bedrock-audit -- rules check --require-proof rules
	cargo run --locked --quiet --package bedrock-audit -- rules test rules

check-pages:
	@cargo run --locked --quiet --package bedrock-audit -- rules pages rules docs/rules --check \
		|| { echo "run make docs, and commit what it writes" >&2; exit 1; }

# The core looks at nobody: no AWS, no async.
check-arrows:
	@tree="$$(cargo tree --locked --package bedrock-audit-detection --edges normal --target all --prefix none)" || exit 1; \
		found="$$(printf '%s\n' "$$tree" | grep -E '^(aws|hyper|lambda|tokio)' | sort -u)"; \
		if [ -z "$$found" ]; then echo "arrows ok: shared/detection knows no AWS and no async"; exit 0; fi; \
		printf 'shared/detection must know no AWS and no async, and depends on:\n%s\n' "$$found" >&2; exit 1

# cargo-deny never asks the network here, so every crate of the lockfile must be there before.
check-dependencies: $(DENY_STAMP)
	cargo fetch --locked --quiet
	$(DENY) --offline --locked check --hide-inclusion-graph bans licenses sources

# The database is a git repository on GitHub. Where that cannot be reached, a check that fails would say nothing about us.
check-advisories: $(DENY_STAMP)
	@if GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --exit-code --quiet https://github.com/RustSec/advisory-db HEAD >/dev/null 2>&1; \
		then $(DENY) --locked check --hide-inclusion-graph advisories; \
		else echo "advisories: NOT CHECKED, because https://github.com/RustSec/advisory-db cannot be reached from here"; fi

# The translated template is what CloudFormation reads: what SAM adds can turn a sound template into a circle.
check-template: needs-python .venv/template/.done .venv/checkov/.done
	$(WITH_SAM_TOOLS) sam validate --lint --template template.yaml
	$(TEMPLATE_VENV)/bin/cfn-lint template.yaml
	@mkdir -p $(TARGET_DIR)
	$(TEMPLATE_VENV)/bin/python tests/template/translate.py template.yaml > $(TARGET_DIR)/translated-template.json
	$(TEMPLATE_VENV)/bin/cfn-lint $(TARGET_DIR)/translated-template.json
	$(CHECKOV_VENV)/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download
	$(TEMPLATE_VENV)/bin/python -m unittest discover --start-directory tests/template

.venv/tests/.done: tests/local/requirements.txt
.venv/sigma/.done: tests/sigma/requirements.txt
.venv/template/.done: tests/template/requirements.txt
.venv/operations/.done: shared/detection/data/requirements.txt
.venv/checkov/.done: tests/template/requirements-checkov.txt
.venv/bench/.done: tests/bench/requirements.txt
.venv/lambda/.done: tests/local/requirements-cargo-lambda.txt

# The files pin everything, so pip is to install that and nothing else. The stamp comes last: half an environment is made anew.
.venv/%/.done:
	rm -rf .venv/$*
	$(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	.venv/$*/bin/python -m pip check --disable-pip-version-check
	@touch $@

# Unoptimized: it runs for a second or two, and building it optimized costs minutes.
$(DENY_STAMP):
	CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --version $(DENY_VERSION) --locked --debug --force --quiet --root .tools
	@touch $@

$(CYCLONEDX_STAMP):
	CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-cyclonedx --version $(CYCLONEDX_VERSION) --locked --debug --force --quiet --root .tools
	@touch $@

$(FUZZ_STAMP):
	CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-fuzz --version $(FUZZ_VERSION) --locked --debug --force --quiet --root .tools
	@touch $@

# First of all that needs Python: a build of minutes is a long way to an error about its version. An environment that is there
# was made with a Python that is new enough, and goes on being used whatever `python3` is by now.
needs-python:
	@python="$(or $(firstword $(wildcard $(TESTS_VENV)/bin/python)),$(PYTHON))"; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and $$python is not: say which to use, as in make run PYTHON=python3.12" >&2; exit 2; }

needs-EVENT:
	@[ -n "$(EVENT)" ] || { echo "Say which event: make invoke EVENT=events/notifications/s3-put.json" >&2; exit 2; }

needs-LOG:
	@[ -n "$(LOG)" ] || { echo "Say which log or folder: make scan LOG=$(EXAMPLE_LOG)" >&2; exit 2; }

needs-STACK:
	@[ -n "$(STACK)" ] || { echo "Say which stack: make smoke STACK=bedrock-audit" >&2; exit 2; }
