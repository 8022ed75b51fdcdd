//! The names of what a deploy to `downloads` leaves for later blocks: `downloads://NAME` (job-definition.md §7).
//!
//! The name is that of the file, as it lies there: without the suffix of a compression that was taken away. With
//! `uniquify: true` it stands in a folder named for its image.

/// The name of an image; `compression` is the job's word, `None` when the file is left as it is.
pub fn name_of(label: &str, url: &str, compression: Option<&str>, uniquify: bool) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    let suffixes: &[&str] = match compression {
        Some("gz") => &[".gz"],
        Some("bz2") => &[".bz2"],
        Some("xz") => &[".xz"],
        Some("zstd") => &[".zst", ".zstd"],
        Some("zip") => &[".zip"],
        _ => &[],
    };
    let bare = suffixes.iter().find_map(|suffix| file.strip_suffix(suffix)).filter(|bare| !bare.is_empty());
    let file = bare.unwrap_or(file);
    if uniquify { format!("{label}/{file}") } else { file.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn names() {
        assert_eq!(name_of("k", "http://host/a/zImage?x=/y", None, false), "zImage");
        assert_eq!(name_of("r", "file:///srv/root.ext4.gz", Some("gz"), false), "root.ext4");
        assert_eq!(name_of("r", "file:///srv/root.ext4.gz", None, true), "r/root.ext4.gz");
        assert_eq!(name_of("r", "./root.zst", Some("zstd"), false), "root");
        assert_eq!(name_of("r", "./root.img", Some("xz"), false), "root.img");
        assert_eq!(name_of("r", "http://host/.gz", Some("gz"), false), ".gz");
    }
}
