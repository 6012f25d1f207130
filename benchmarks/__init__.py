"""telemon beside its peers, alternating on the same private servers."""
