//! Asks the linker for a smaller file where it and this machine's C library can
//! do that: packed relative relocations (`DT_RELR`, glibc 2.36), and one copy of
//! functions that are the same byte for byte (lld, gold). Nothing else changes.

use std::env;
use std::path::Path;
use std::process::Command;

const ARGS: [&str; 2] = ["-Wl,-z,pack-relative-relocs", "-Wl,--icf=all"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let native = env::var("HOST") == env::var("TARGET");
    for arg in ARGS.into_iter().filter(|arg| native && runs(arg)) {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}

/// Whether a program that was linked in this way starts.
fn runs(arg: &str) -> bool {
    let (Ok(rustc), Ok(folder)) = (env::var("RUSTC"), env::var("OUT_DIR")) else { return false };
    let source = Path::new(&folder).join("tried.rs");
    let program = Path::new(&folder).join("tried");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(rustc);
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty())).arg(format!("-Clink-arg={arg}"));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg(&source).arg("-o").arg(&program);
    std::fs::write(&source, "fn main() {}").is_ok()
        && rustc.output().is_ok_and(|told| told.status.success())
        && Command::new(program).status().is_ok_and(|status| status.success())
}
