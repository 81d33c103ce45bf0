//! The OpenAPI document and the page that shows it.

use std::path::Path;

use audit_layer::record::Member;
use serde_json::Value;

use super::support::Fixture;

#[test]
fn the_openapi_document_is_the_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = audit_server::openapi_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &document).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        document == kept,
        "the document differs from {}: `UPDATE_GOLDEN=1 cargo test -p audit-server` rewrites it",
        golden.display()
    );
}

#[test]
fn the_server_serves_that_document() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.server.send("GET", "/openapi.json", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, audit_server::openapi_document());
}

#[test]
fn every_member_of_a_record_is_documented() {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let properties = &document["components"]["schemas"]["Record"]["properties"];
    for name in Member::ALL.iter().map(|member| member.name()).chain(["hash"]) {
        assert!(properties[name]["description"].is_string(), "{name}");
    }
    assert_eq!(properties.as_object().unwrap().len(), Member::COUNT + 1);
}

#[test]
fn every_parameter_is_described_and_none_is_filled_in_unasked() {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = &parameter["name"];
                assert!(parameter["description"].is_string(), "{path} {name}");
                // Swagger UI fills an example in, which would make a filter of it.
                let filled_in = !parameter["schema"]["example"].is_null();
                assert_eq!(filled_in, parameter["required"] == true, "{path} {name}");
            }
        }
    }
}

#[test]
fn swagger_ui_comes_from_the_binary_and_allows_no_other_script() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.server.send("GET", "/docs", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    assert!(!answer.body.contains("src=\"http") && !answer.body.contains("href=\"http"));
    let policy = answer.header("content-security-policy").unwrap();
    let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap();
    assert_eq!(scripts.matches("'sha256-").count(), 2, "{scripts}");
    assert!(!scripts.contains("unsafe"), "{scripts}");
    assert!(answer.body.contains("\"securitySchemes\""), "the Authorize button needs them");
}
