//! Every input of the corpus, and every input a fuzzer once found, holds what its target promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;

use beckn_health_fuzz::{TARGETS, Target};

#[test]
fn the_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for Target { name, run } in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            // The name of the input, should it panic.
            println!("{}", path.display());
            let input = fs::read(&path).unwrap();
            run(&input);
            // Cut short it is an input too.
            for end in (0..input.len()).step_by(input.len() / 16 + 1) {
                run(&input[..end]);
            }
            inputs += 1;
        }
        assert!(inputs >= 8, "expected a corpus for {name}, found {inputs} inputs");
    }
}

#[test]
fn every_folder_of_the_corpus_has_a_target() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(Target::named(&name).is_some(), "{name} is no target");
    }
}
