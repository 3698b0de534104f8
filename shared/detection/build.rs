//! Embeds the built-in rules: every `rules/**/*.yml` of the repository, read already, so that adding a rule takes no Rust and
//! starting takes no YAML. And of the catalogue of operations what a record is judged by, so that the Lambda does not carry
//! the rest.
//!
//! A build script and not a macro crate, because only a build script can tell cargo that a file was added to a folder.

#[path = "src/rules/packed.rs"]
mod packed;

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::ZlibEncoder};
use packed::{Content, Kept, Packed};
use rsigma_parser::parse_sigma_yaml;
use serde_json::{Value, json};
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
    // Their beginnings: 96 bits, which nobody finds a second text for.
    let hashes: Vec<&str> = kept.iter().filter_map(|kept| kept.hash.get(..24)).collect();
    fs::write(out.join("builtin_hashes"), hashes.join("\n"))?;
    // Packed: most of it is text for findings, and the size of the Lambda is time to start it.
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut packed, &kept)?;
    fs::write(out.join("builtin_rules.json.zlib"), packed.finish()?)?;
    println!("cargo::rerun-if-changed=data/operations.csv");
    let catalogue = fs::read_to_string(manifest.join("data/operations.csv"))?;
    let operations = operations(&catalogue).map_err(io::Error::other)?;
    fs::write(out.join("operations.json"), serde_json::to_vec(&operations)?)
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

/// `{source: {name: {"class": ..., "required": [...], "page": ...}}}` of a catalogue that `src/catalogue.rs` explains. A row that is not in
/// order, or has no class, stops the build: so none is there twice, and none is unclassified.
fn operations(csv: &str) -> Result<BTreeMap<&str, BTreeMap<&str, Value>>, String> {
    let mut operations: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    let mut before = ("", "");
    for (number, row) in csv.lines().enumerate().skip(1) {
        let wrong = |what: &str| format!("data/operations.csv, line {}: {what}", number + 1);
        let cells: Vec<&str> = row.split(',').collect();
        let [source, name, _, _, class, _, _, required, _, _, page, ..] = cells.as_slice() else {
            return Err(wrong("cells are missing"));
        };
        if before >= (*source, *name) {
            return Err(wrong("rows stand in the order of event source and event name, each once"));
        }
        if !["read", "invoke", "write", "tag", "credential"].contains(class) {
            return Err(wrong("its class is read, invoke, write, tag or credential"));
        }
        let required: Vec<&str> = required.split_whitespace().collect();
        let operation = json!({"class": class, "required": required, "page": page});
        operations.entry(source).or_default().insert(name, operation);
        before = (*source, *name);
    }
    Ok(operations)
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
