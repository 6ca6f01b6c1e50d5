// The library by which kubelets and container runtimes read references, as an oracle for ours; the version is the one in
// Kubernetes 1.36.
module dorgu.io/testbed/image

go 1.26.0

require github.com/distribution/reference v0.6.0

require github.com/opencontainers/go-digest v1.0.0 // indirect
