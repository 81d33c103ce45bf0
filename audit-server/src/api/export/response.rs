//! The response of an export, and what the document says of it.

use http_body_util::combinators::BoxBody;
use poem::{IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    registry::{
        MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
    },
    types::Type,
};
use serde_json::json;
use uuid::Uuid;

use super::body::{ExportBody, TRAILERS};
use crate::{
    api::schema,
    export::{Compression, Format},
};

/// The header with the id of the export.
const ID: &str = "audit-export-id";

pub(in crate::api) struct ExportResponse {
    pub(super) id: Uuid,
    /// The name of the file; nothing in it comes from the client.
    pub(super) name: String,
    pub(super) content_type: &'static str,
    /// The `Content-Encoding`.
    pub(super) encoding: Compression,
    pub(super) wants_trailers: bool,
    pub(super) body: ExportBody,
}

impl IntoResponse for ExportResponse {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .content_type(self.content_type)
            .header(ID, self.id.to_string())
            .header(header::VARY, "accept-encoding")
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.name));
        if self.encoding != Compression::None {
            response = response.header(header::CONTENT_ENCODING, self.encoding.word());
        }
        if self.wants_trailers {
            // Only those that are named here are sent.
            response = response.header(header::TRAILER, TRAILERS.join(", "));
        }
        response.body(BoxBody::new(self.body))
    }
}

impl ApiResponse for ExportResponse {
    fn meta() -> MetaResponses {
        let text = |example| MetaSchema {
            example: Some(example),
            ..MetaSchema::new_with_format("string", "binary")
        };
        let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
        let records = MetaSchema {
            items: Some(Box::new(schema::Record::schema_ref())),
            ..MetaSchema::new("array")
        };
        let content = |(content_type, schema)| MetaMediaType { content_type, schema };
        let line = "{\"action\":\"login\",\"category\":\"auth\",…,\"v\":1,\"hash\":\"…\"}\n";
        let contents = [
            (Format::Ndjson.content_type(), inline(text(json!(line)))),
            (Format::Json.content_type(), inline(records)),
            (Format::Csv.content_type(), inline(text(json!("v,id,stream,…\n1,0193…,…\n")))),
            ("application/gzip", inline(MetaSchema::new_with_format("string", "binary"))),
            ("application/zstd", inline(MetaSchema::new_with_format("string", "binary"))),
        ];
        let id = MetaHeader {
            name: "Audit-Export-Id".to_owned(),
            description: Some("What the export is called at `/audit/exports/{id}`.".to_owned()),
            required: true,
            deprecated: false,
            schema: inline(MetaSchema::new_with_format("string", "uuid")),
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The file. It is whole if it ends as HTTP/1.1 has it: an export that \
                              breaks off ends with its connection.",
                status: Some(200),
                status_range: None,
                content: contents.map(content).into(),
                headers: vec![id],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        schema::Record::register(registry);
    }
}
