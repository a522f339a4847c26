# `just` lists the recipes. CI runs the same through .ci/run.

default:
    @just --list

# Format the code
fmt:
    cargo fmt --all

# Lint every target; warnings are errors
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# All tests
test:
    cargo test --workspace

# Licences, advisories and sources of dependencies (needs cargo-deny)
deny:
    cargo deny check

# Check the templates (makes a Python environment for the SAM CLI and cfn-lint)
validate:
    .ci/run templates

# Book a consultation on a network of its own
demo *arguments:
    cargo run -- demo {{ arguments }}

# Run the four roles on one port
up *arguments:
    cargo run -- up {{ arguments }}

# Everything that CI runs
ci:
    .ci/run
