# `just` lists the recipes. CI runs the same through .ci/run.

default:
    @just --list

# Format the code
fmt:
    cargo fmt --all

# Lint every target; warnings are errors
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# All tests (one journey kills a `beckn-health up`, hence the build)
test:
    cargo build -p beckn-health
    cargo test --workspace

# Licences, advisories and sources of dependencies (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# Check the templates (makes a Python environment for the SAM CLI and cfn-lint)
validate:
    .ci/run templates

# Book a consultation on a network of its own
demo *arguments:
    cargo run -- demo {{ arguments }}

# Run the four roles on one port
up *arguments:
    cargo run -- up {{ arguments }}

# Date and sign the sample events as they are committed
events:
    cargo run -- events sign --at 2026-11-23T04:00:00Z

# Everything that CI runs
ci:
    .ci/run
