//! The kept corpus through every target: what fuzzing found interesting, and every finding that was fixed.
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn every_kept_input_is_survived() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus-kept");
    for (name, target) in lastgasp_fuzz_bodies::ALL {
        let mut files: Vec<_> = std::fs::read_dir(kept.join(name)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        target(&[]);
        for f in files {
            let input = std::fs::read(&f).unwrap();
            assert!(input.len() <= 4096, "{} is too large to be kept", f.display());
            // What panics below is this file.
            println!("{}", f.display());
            target(&input);
        }
    }
}

/// No folder of a target that is gone.
#[test]
fn every_folder_is_of_a_target() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus-kept");
    let names: Vec<&str> = lastgasp_fuzz_bodies::ALL.iter().map(|t| t.0).collect();
    for folder in std::fs::read_dir(kept).unwrap() {
        let name = folder.unwrap().file_name();
        assert!(names.contains(&name.to_str().unwrap()), "{name:?}");
    }
}
