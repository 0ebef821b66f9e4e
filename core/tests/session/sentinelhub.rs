//! sentinelhub-py's `config.toml`: which server a client's secret goes to, and where its tokens go.

use super::environment::with_variables;
use crate::common::*;
use planetkey::profile::HOME_VARIABLE;
use planetkey::{Result, Session, Status};
use std::sync::Arc;

const OWN: &str =
    "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token";
const FORMER: &str = "https://services.sentinel-hub.com/oauth/token";
const CDSE: &str =
    "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token";
const CDSE_API: &str = "https://sh.dataspace.copernicus.eu/api/v1/catalog";
const PAIR: [(&str, &str); 2] = [("SH_CLIENT_ID", "id"), ("SH_CLIENT_SECRET", "secret-0123456789")];

struct Case {
    home: tempfile::TempDir,
    fake: Arc<Fake>,
}

impl Case {
    fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".config/sentinelhub");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("config.toml"), config).unwrap();
        Case { home, fake: Fake::new() }
    }

    fn open(&self, variables: &[(&'static str, &str)]) -> Result<Session> {
        let home = (HOME_VARIABLE, self.home.path().to_str().unwrap());
        Session::from_defaults(&with_variables(&self.fake, variables.iter().copied().chain([home])))
    }

    /// Returns the server that got the secret for a request to this URL.
    fn server(&self, session: &Session, url: &str) -> String {
        session.authorize(url).unwrap();
        let seen = self.fake.seen();
        assert_eq!(seen.len(), 1, "one request");
        assert_eq!(
            seen[0].field("client_secret").as_deref(),
            Some("secret-0123456789"),
            "in the body, as sentinelhub-py sends it"
        );
        seen[0].url.clone()
    }
}

fn refused(session: &Session, url: &str) {
    assert_eq!(session.authorize(url).unwrap_err().status(), Status::HostRefused, "{url}");
}

#[test]
fn i9_15_the_secret_of_the_environment_goes_to_the_server_of_the_section() {
    let jupyter = format!(
        "sh_base_url = \"https://sh.dataspace.copernicus.eu\"\nsh_token_url = \"{CDSE}\"\n"
    );
    for (section, variables) in [("default-profile", &[][..]), ("work", &[("SH_PROFILE", "work")])]
    {
        let variables: Vec<_> = PAIR.iter().chain(variables).copied().collect();
        let case = Case::new(&format!("[{section}]\n{jupyter}"));
        let session = case.open(&variables).unwrap();
        assert_eq!(case.server(&session, CDSE_API), CDSE);
        assert_eq!(session.status().source(), Some("environment: SH_CLIENT_ID, SH_CLIENT_SECRET"));
        // Its tokens go to no other deployment.
        refused(&session, SENTINEL_HUB);
        refused(&session, PLANET);
        assert_eq!(session.status().sources()[0].hosts, ["sh.dataspace.copernicus.eu"]);
        let refusal = session.authorize("https://example.org/").unwrap_err();
        assert!(refusal.message().contains("go only to sh.dataspace.copernicus.eu"), "{refusal}");
    }
}

#[test]
fn i9_15_a_client_of_another_deployment_does_not_hide_other_credentials() {
    let case = Case::new(&format!("[default-profile]\nsh_token_url = \"{CDSE}\"\n"));
    let variables: Vec<_> = PAIR.into_iter().chain([("PL_API_KEY", "PLAKEY0123456789")]).collect();
    let session = case.open(&variables).unwrap();
    assert_eq!(session.authorize(PLANET).unwrap().source(), "environment: PL_API_KEY");
    assert_eq!(case.server(&session, CDSE_API), CDSE);
}

#[test]
fn i9_15_the_former_address_belongs_to_the_same_server() {
    for setting in [
        format!("sh_token_url = \"{FORMER}\""),
        "sh_auth_base_url = \"https://services.sentinel-hub.com\"".to_owned(),
    ] {
        let case = Case::new(&format!("[default-profile]\n{setting}\n"));
        let session = case.open(&PAIR).unwrap();
        assert_eq!(case.server(&session, SENTINEL_HUB), FORMER);
        assert!(session.authorize(PLANET).unwrap().under_development());
        refused(&session, CDSE_API);
    }
    // Without any setting it is Sentinel Hub's current server. A base URL alone does not change
    // where the secret goes.
    for config in [
        "",
        "[default-profile]\n",
        "[default-profile]\nsh_base_url = \"https://sh.dataspace.copernicus.eu\"\n",
    ] {
        let case = Case::new(config);
        let session = case.open(&PAIR).unwrap();
        assert_eq!(case.server(&session, SENTINEL_HUB), OWN);
        refused(&session, CDSE_API);
    }
}

#[test]
fn i9_15_a_token_of_a_custom_server_goes_to_its_base_url_only() {
    let own = "sh_token_url = \"https://login.example.org/token\"\n";
    let case = Case::new(&format!(
        "[default-profile]\n{own}sh_base_url = \"https://hub.example.org/base\"\n"
    ));
    let session = case.open(&PAIR).unwrap();
    assert_eq!(
        case.server(&session, "https://hub.example.org/api"),
        "https://login.example.org/token"
    );
    for url in
        [SENTINEL_HUB, PLANET, CDSE_API, "https://login.example.org/", "https://example.org/"]
    {
        refused(&session, url);
    }
    // A token of a known deployment does not follow a base URL to another host.
    for token_url in [OWN, FORMER, CDSE] {
        let config = format!(
            "[default-profile]\nsh_token_url = \"{token_url}\"\nsh_base_url = \"https://hub.example.org\"\n"
        );
        refused(&Case::new(&config).open(&PAIR).unwrap(), "https://hub.example.org/api");
    }
    // The hosts of a known deployment accept no token of another server.
    for base_url in [
        "https://services.sentinel-hub.com",
        "https://sh.dataspace.copernicus.eu",
        "http://hub.example.org",
        "hub",
    ] {
        let case = Case::new(&format!("[default-profile]\n{own}sh_base_url = \"{base_url}\"\n"));
        let session = case.open(&PAIR).unwrap();
        [SENTINEL_HUB, PLANET, CDSE_API].iter().for_each(|url| refused(&session, url));
        assert_eq!(session.status().sources()[0].hosts, <[String; 0]>::default());
    }
}

#[test]
fn i9_15_a_section_with_addresses_only_is_no_error() {
    let section = "sh_token_url = \"https://login.example.org/token\"\nsh_base_url = \"https://hub.example.org\"\n";
    let config = format!("[default-profile]\n{section}[work]\n{section}");
    for variables in [
        &[("PL_API_KEY", "PLAKEY0123456789")][..],
        &[("PL_API_KEY", "PLAKEY0123456789"), ("SH_PROFILE", "work")],
    ] {
        let session = Case::new(&config).open(variables).unwrap();
        assert_eq!(session.authorize(PLANET).unwrap().source(), "environment: PL_API_KEY");
        assert_eq!(session.status().sources().len(), 1);
    }
    let session = Case::new(&config).open(&[("SH_PROFILE", "work")]).unwrap();
    assert!(
        session.status().notes()[0]
            .contains("the profile work of sentinelhub's config.toml has no sh_client_id")
    );
}

#[test]
fn i9_15_id_and_secret_of_the_environment_each_replace_those_of_the_section() {
    let section = "sh_client_id = \"theirs\"\nsh_client_secret = \"secret-0123456789\"\nsh_token_url = \"https://login.example.org/token\"\n\
                   sh_base_url = \"https://hub.example.org\"\n";
    let case = Case::new(&format!("[default-profile]\n{section}"));
    let session = case.open(&[("SH_CLIENT_ID", "mine")]).unwrap();
    assert_eq!(
        case.server(&session, "https://hub.example.org/"),
        "https://login.example.org/token"
    );
    assert_eq!(case.fake.seen()[0].field("client_id").as_deref(), Some("mine"));
    assert_eq!(
        session.status().source(),
        Some("environment: SH_CLIENT_ID; sentinelhub config.toml: default-profile")
    );

    let halves = "[default-profile]\nsh_client_id = \"theirs\"\n[work]\nsh_client_id = \"work\"\n";
    for (variables, id) in [(&[][..], "theirs"), (&[("SH_PROFILE", "work")], "work")] {
        let case = Case::new(halves);
        let variables: Vec<_> = PAIR[1..].iter().chain(variables).copied().collect();
        let session = case.open(&variables).unwrap();
        assert_eq!(case.server(&session, SENTINEL_HUB), OWN);
        assert_eq!(case.fake.seen()[0].field("client_id").as_deref(), Some(id));
        assert_eq!(session.status().notes(), <[String; 0]>::default());
    }
}

#[test]
fn i9_15_with_an_invalid_file_the_secret_is_not_sent() {
    for config in [
        "[default-profile",
        "[default-profile]\nsh_token_url = 5\n",
        "[default-profile]\nsh_auth_base_url = []\n",
    ] {
        let case = Case::new(config);
        let error = case.open(&PAIR).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(error.message().contains("config.toml"), "{error}");
        // Without a secret in the environment the problem is a note.
        let session = case.open(&[("PL_API_KEY", "PLAKEY0123456789")]).unwrap();
        assert!(session.status().notes()[0].contains("config.toml"));
        assert_eq!(case.fake.count(), 0);
    }
}
