// Ours, not a part of Swagger UI: shows /schema/openapi.json. Nothing is asked of another server.
window.ui = SwaggerUIBundle({
  url: "schema/openapi.json",
  dom_id: "#api",
  validatorUrl: null,
  persistAuthorization: false,
  tryItOutEnabled: true,
});
