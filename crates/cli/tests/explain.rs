//! `lastgasp explain`. No Go and no root needed.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).arg("explain").args(arguments).output().unwrap()
}

#[test]
fn every_code_of_the_list_has_a_page() {
    let list = explain(&[]);
    assert_eq!(list.status.code(), Some(0));
    let list = String::from_utf8(list.stdout).unwrap();
    let codes: Vec<&str> = list.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(codes.contains(&"heap-growth"), "{list}");
    for code in codes {
        let page = explain(&[code]);
        assert_eq!(page.status.code(), Some(0), "{code}");
        let page = String::from_utf8(page.stdout).unwrap();
        // Of a rule, of a cause why a goroutine waits for ever, of a rule about source.
        let is_whole =
            ["\nTHRESHOLDS\n", "\nRIVALS\n", "\nWHAT IT CANNOT TELL\n"].iter().any(|heading| page.contains(heading));
        assert!(page.starts_with(code) && is_whole, "{page}");
    }
}

#[test]
fn an_unknown_code_is_answered_with_the_known_ones() {
    let out = explain(&["LG001"]);
    assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0));
    let complaint = String::from_utf8(out.stderr).unwrap();
    assert!(complaint.contains("LG001") && complaint.contains("goroutine-growth, heap-growth"), "{complaint}");
}
