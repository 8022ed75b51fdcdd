//! The key pair with which a group's guests log in: made for one run, never on the disk.
//!
//! The private half is written as OpenSSH's own key format, version 1, without a passphrase, into a file without a name.

use std::fs::File;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use convoke_dispatcher::error::{ActionError, ErrorClass};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::fs::{MemfdFlags, Mode};

const KIND: &[u8] = b"ssh-ed25519";

/// A key pair.
#[derive(Debug)]
pub struct KeyPair {
    public: String,
    private: File,
}

impl KeyPair {
    /// Makes one; `comment` ends the public half.
    ///
    /// # Errors
    /// Infrastructure, when the system gives no random bytes or no memory.
    pub fn generate(comment: &str) -> Result<KeyPair, ActionError> {
        let random = SystemRandom::new();
        let mut seed = [0; 32];
        let mut check = [0; 4];
        let broken = |_| ActionError::infrastructure("this system gives no random bytes for a key");
        random.fill(&mut seed).map_err(broken)?;
        random.fill(&mut check).map_err(broken)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| ActionError::new(ErrorClass::Bug, format!("cannot make a key: {error}")))?;
        let public = pair.public_key().as_ref();
        let text = private_text(&seed, public, check, comment.as_bytes());
        let private = file(text.as_bytes())
            .map_err(|error| ActionError::infrastructure(format!("cannot keep a key in memory: {error}")))?;
        let public = format!("ssh-ed25519 {} {comment}", STANDARD.encode(public_blob(public)));
        Ok(KeyPair { public, private })
    }

    /// The public half, one line of an `authorized_keys` file.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The private half: a file without a name that only its owner may read.
    pub(super) fn private(&self) -> &File {
        &self.private
    }
}

fn file(text: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("key", MemfdFlags::CLOEXEC)?);
    // ssh refuses a key that others may read.
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    file.write_all(text)?;
    Ok(file)
}

fn public_blob(public: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    string(&mut blob, KIND);
    string(&mut blob, public);
    blob
}

fn private_text(seed: &[u8], public: &[u8], check: [u8; 4], comment: &[u8]) -> String {
    let mut secret = [check, check].concat();
    string(&mut secret, KIND);
    string(&mut secret, public);
    string(&mut secret, &[seed, public].concat());
    string(&mut secret, comment);
    // Up to a whole block of the cipher that is not used.
    secret.extend((1..).take(secret.len().next_multiple_of(8) - secret.len()));

    let mut blob = b"openssh-key-v1\0".to_vec();
    for nothing in [&b"none"[..], b"none", b""] {
        string(&mut blob, nothing);
    }
    blob.extend(1_u32.to_be_bytes());
    string(&mut blob, &public_blob(public));
    string(&mut blob, &secret);
    let mut text = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let encoded = STANDARD.encode(blob);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(70));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    text
}

/// A string of the format: its length, then its bytes.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Keys and comments are short.
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}
