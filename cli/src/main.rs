//! `beckn-health`: run the health services network locally and talk to a running one.

use std::process::ExitCode;

use beckn_health::commands::Command;
use beckn_health::failure::Failure;
use clap::Parser;

/// Find a doctor, book a consultation, and run the open network behind it.
///
/// Exit codes: 0 all went well; 1 it did not, and standard error says why; 2 the command line was
/// not understood.
#[derive(Parser)]
#[command(name = "beckn-health", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("beckn-health: {sentence}");
            ExitCode::FAILURE
        }
    }
}
