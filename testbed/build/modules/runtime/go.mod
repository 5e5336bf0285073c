module sixproof.test/testbed/runtime

go 1.24
