//! Embeds the built-in rules: every `rules/**/*.yml` of the repository, read already, so that adding a rule takes no Rust and
//! starting takes no YAML.
//!
//! A build script and not a macro crate, because only a build script can tell cargo that a file was added to a folder.

#[path = "src/rules/packed.rs"]
mod packed;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use packed::{Content, Kept, Packed};
use rsigma_parser::parse_sigma_yaml;
use sha2::{Digest as _, Sha256};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let rules = manifest.join("../../rules").canonicalize()?;
    println!("cargo::rerun-if-changed={}", rules.display());
    println!("cargo::rerun-if-changed=src/rules/packed.rs");
    let mut files = Vec::new();
    collect(&rules, &mut files)?;
    files.sort();
    let mut kept = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&rules).map_err(io::Error::other)?.display().to_string().replace('\\', "/");
        let text = fs::read_to_string(file)?;
        let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let content = pack(&text).map_or(Content::Text(text), |rule| Content::Rule(Box::new(rule)));
        kept.push(Kept { path: format!("rules/{name}"), hash, content });
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("builtin_rules.json"), serde_json::to_vec(&kept)?)
}

/// A file that holds one rule and nothing else. What is wrong with any other is told when it is loaded, and by a test.
fn pack(text: &str) -> Option<Packed> {
    let collection = parse_sigma_yaml(text).ok()?;
    let alone = collection.errors.is_empty() && collection.correlations.is_empty() && collection.filters.is_empty();
    match collection.rules.as_slice() {
        [rule] if alone => Packed::of(rule),
        _ => None,
    }
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
