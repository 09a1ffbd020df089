//go:build !demo

package main

// BLOB_URL=s3://... The demo keeps its files in a folder, and AWS's packages would be a sixth of
// what a new machine compiles before it runs (`make demo` builds with the tag).
import _ "gocloud.dev/blob/s3blob"
