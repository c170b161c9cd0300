// The folder in which toolchains are downloaded: its go.sum pins those that the catalogue names.
module lab/modules/go-toolchains

go 1.19
