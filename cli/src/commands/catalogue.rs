//! `beckn-health catalogue`: makes and checks catalogue files.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Failure, read_catalogue, say, write};
use crate::sample::{catalogue_json, sample_catalogue};

/// Make or check a provider's catalogue.
#[derive(Subcommand)]
pub enum CatalogueCommand {
    /// Write an invented city: facilities, practitioners, fees and schedules
    #[command(
        after_help = "The same number and seed always give the same catalogue; the one that ships with the project is\n  beckn-health catalogue sample --practitioners 300 --seed 1\n\nExample:\n  beckn-health catalogue sample --practitioners 100000 --out big.json"
    )]
    Sample {
        /// How many practitioners
        #[arg(long, default_value_t = 300)]
        practitioners: usize,
        /// Where the invention starts
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// File to write; standard output when absent
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Read a catalogue file and say what is wrong with it
    #[command(after_help = "Example:\n  beckn-health catalogue check clinic.json")]
    Check {
        /// The file
        file: PathBuf,
    },
}

impl CatalogueCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The file cannot be read or written, or is not a catalogue.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Sample { practitioners, seed, out } => {
                let catalogue = sample_catalogue(practitioners, seed)?;
                write(out.as_ref(), &catalogue_json(&catalogue)?)
            }
            Self::Check { file } => {
                let catalogue = read_catalogue(&file)?;
                let services: usize =
                    catalogue.practitioners().iter().map(|practitioner| practitioner.services.len()).sum();
                let count =
                    |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
                say(&format!(
                    "{} is a catalogue of {}, {}, {} and {}",
                    file.display(),
                    count(catalogue.cities().len(), "city", "cities"),
                    count(catalogue.facilities().len(), "facility", "facilities"),
                    count(catalogue.practitioners().len(), "practitioner", "practitioners"),
                    count(services, "service", "services"),
                ));
                Ok(())
            }
        }
    }
}
