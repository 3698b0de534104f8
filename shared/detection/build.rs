//! Embeds the built-in rules: every `rules/**/*.yml` of the repository, so that adding a rule takes no Rust.
//!
//! A build script and not a macro crate, because only a build script can tell cargo that a file was added to a folder.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let rules = manifest.join("../../rules").canonicalize()?;
    println!("cargo::rerun-if-changed={}", rules.display());
    let mut files = Vec::new();
    collect(&rules, &mut files)?;
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut list = fs::File::create(out.join("builtin_rules.rs"))?;
    writeln!(list, "&[")?;
    for file in &files {
        let name = file.strip_prefix(&rules).map_err(io::Error::other)?.display().to_string().replace('\\', "/");
        writeln!(list, "    ({:?}, include_str!({file:?})),", format!("rules/{name}"))?;
    }
    writeln!(list, "]")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
    Ok(())
}
