package protocol

// SignRequest asks for a client certificate that replaces one whose private key the asker has. It names no subject,
// group or life: the helper takes these from the old certificate, and signs only what the cluster's authority signed
// before.
type SignRequest struct {
	Run  Run    `json:"run"`
	Step string `json:"step"`
	// Certificate is the old certificate, PEM. It may have expired.
	Certificate []byte `json:"certificate"`
	// Request is a PKCS #10 request for the new key, DER. Of it the helper reads the public key alone.
	Request []byte `json:"request"`
	// Proof is the old key's signature over Request, by SHA-256 where the kind of key needs a hash.
	Proof []byte `json:"proof"`
}

// InRun and BelongsTo implement Changing.
func (r SignRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r SignRequest) BelongsTo() Run    { return r.Run }

// SignResult is the new certificate. It holds no secret.
type SignResult struct {
	Certificate []byte `json:"certificate"` // PEM

	Performed Performed `json:"performed,omitzero"`
}
