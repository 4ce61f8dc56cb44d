# The commands of README.md and CONTRIBUTING.md by name; none needs just.

# List the commands.
default:
    @just --list

# Build the program and run it on a copy of the demo project.
demo:
    examples/demo/run

# Run every test; arguments filter.
test *args:
    tests/run {{args}}

# Run all that has to hold before a change goes in.
ci:
    .ci/run

# Format, then lint as CI does.
lint:
    cargo fmt --all
    cargo clippy --all-targets -- -D warnings
    cargo clippy --all-targets --no-default-features -- -D warnings

# Build and open the API documentation.
doc:
    cargo doc --no-deps --open

# Check licences, advisories and banned crates (needs cargo-deny).
deny:
    cargo deny check
