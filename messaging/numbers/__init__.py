"""Numbers as Meta sees them: verification, proof, doctor."""
