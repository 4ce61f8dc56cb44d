//! Texts that the API's documentation gives a form of their own. Which artifact
//! types there are is known only when the service starts; the router says it then.

use std::borrow::Cow;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::kinds::ArtifactTypes;

/// A type of artifact.
pub(super) struct ArtifactType;

/// The name of a project.
pub(super) struct ProjectId;

/// Under what a request may be repeated.
pub(super) struct IdempotencyKey;

fn text(object: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(object.schema_type(Type::String).build()))
}

/// Returns the form of a type of artifact.
pub(super) fn of_types(types: &ArtifactTypes) -> RefOr<Schema> {
    text(ObjectBuilder::new().enum_values(Some(types.names())))
}

impl PartialSchema for ArtifactType {
    fn schema() -> RefOr<Schema> {
        of_types(&ArtifactTypes::default())
    }
}

impl ToSchema for ArtifactType {
    fn name() -> Cow<'static, str> {
        "ArtifactType".into()
    }
}

impl PartialSchema for ProjectId {
    fn schema() -> RefOr<Schema> {
        let form = ObjectBuilder::new().min_length(Some(1)).max_length(Some(64));
        text(form.pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")))
    }
}

impl ToSchema for ProjectId {
    fn name() -> Cow<'static, str> {
        "ProjectId".into()
    }
}

impl PartialSchema for IdempotencyKey {
    fn schema() -> RefOr<Schema> {
        let about = "The same key and request get the same answer for 24 hours";
        let form = ObjectBuilder::new().description(Some(about));
        let form = form.min_length(Some(1)).max_length(Some(255));
        text(form.pattern(Some("^[!-~]{1,255}$")))
    }
}

impl ToSchema for IdempotencyKey {
    fn name() -> Cow<'static, str> {
        "IdempotencyKey".into()
    }
}
