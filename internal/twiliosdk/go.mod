module flexsync/internal/twiliosdk

go 1.26.0

require (
	flexsync v0.0.0
	github.com/twilio/twilio-go v1.31.0
)

require (
	github.com/golang-jwt/jwt/v5 v5.2.2 // indirect
	github.com/golang/mock v1.6.0 // indirect
	github.com/google/renameio/v2 v2.0.2 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)

replace flexsync => ../..
