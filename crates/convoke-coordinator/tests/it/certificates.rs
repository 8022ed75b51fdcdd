//! Certificates for a test, in a folder of its own.

use std::path::PathBuf;

use convoke_coordinator::{ClientTlsFiles, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

pub(crate) struct Certificates {
    dir: TempDir,
}

/// Who issues certificates.
pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

impl Certificates {
    /// With a CA in `ca.pem`, of which `server` has a certificate for the name `localhost`, and `client` one too.
    pub(crate) fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        let ca = this.issuer("ca");
        this.issue(&ca, "server", "localhost", false);
        this.issue(&ca, "client", "dispatcher", false);
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A CA in `NAME.pem`.
    pub(crate) fn issuer(&self, name: &str) -> Issuer {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        self.write(&format!("{name}.pem"), &ca.pem());
        ca
    }

    /// A certificate in `FILE.pem` and its key in `FILE.key`.
    pub(crate) fn issue(&self, ca: &Issuer, file: &str, name: &str, expired: bool) {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            parameters.not_before = date_time_ymd(2001, 1, 1);
            parameters.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, ca).unwrap();
        self.write(&format!("{file}.pem"), &certificate.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn server(&self, file: &str, client_ca: Option<&str>) -> TlsFiles {
        TlsFiles {
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
            client_ca: client_ca.map(|name| self.path(&format!("{name}.pem"))),
        }
    }

    pub(crate) fn client(&self, ca: &str, own: Option<&str>) -> ClientTlsFiles {
        let own = own.map(|name| (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key"))));
        ClientTlsFiles { ca: self.path(&format!("{ca}.pem")), own }
    }
}
