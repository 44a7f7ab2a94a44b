//! A Go runtime that is not the executable's: a C program that has loaded a Go library is listed and captured
//! like a Go program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::process::Command;

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain;

#[test]
fn a_c_program_with_a_go_library_is_listed_and_captured() {
    let toolchain = match toolchain::any(&cache_dir()) {
        Ok(t) => t,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let target = Oracle::start(&toolchain, Mode::CShared).unwrap();
    let lastgasp = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };

    let listed: serde_json::Value = serde_json::from_str(&lastgasp(&["ps", "--json"])).unwrap();
    let ours = listed["processes"].as_array().unwrap().iter().find(|p| p["pid"] == target.pid()).unwrap();
    assert_eq!(ours["go_version"], toolchain.version.as_str());
    assert_eq!(ours["problem"], serde_json::Value::Null);
    assert_eq!((&ours["stripped"], &ours["profile_on"]), (&true.into(), &true.into()));

    let store = tempfile::tempdir().unwrap();
    let out = lastgasp(&["capture", &target.pid().to_string(), "--out", store.path().to_str().unwrap()]);
    let folder = out.lines().last().unwrap();
    let goroutines = std::fs::read_to_string(std::path::Path::new(folder).join("goroutines.txt")).unwrap();
    for function in ["main.observe(", "main.OracleRun(", "main.inC(", "main.(*server).blocked("] {
        assert!(goroutines.contains(function), "{function} in\n{goroutines}");
    }
    let report = lastgasp(&["report", folder, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert!(report.to_string().contains("main.plantNodes"), "{report:#}");
}
