"""The resource as typed models, its conditions and reasons, and the CRD rendered from them."""
