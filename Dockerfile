# The browser files. Tailwind reads the class names from the templates in ui/.
FROM node:22-bookworm-slim AS assets
WORKDIR /src
COPY ui/static/package.json ui/static/package-lock.json ui/static/.npmrc ui/static/
RUN cd ui/static && npm ci
COPY ui ui
RUN node ui/static/build.mjs

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=assets /src/ui/static/dist ui/static/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/avisa ./cmd/avisa \
 && mkdir -p /out/data

# Certificates and time zones, no shell, uid 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/avisa /usr/local/bin/avisa
COPY --from=build --chown=65532:65532 /out/data /var/lib/avisa
ENV AVISA_ENV=production \
    AVISA_ADDR=:8080 \
    BLOB_URL=file:///var/lib/avisa/blobs?create_dir=true&no_tmp_dir=true
VOLUME /var/lib/avisa
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/avisa"]
CMD ["serve"]
