/// Guesses media types (RFC 6838) from the endings of file names.
enum MediaType {
    /// What is not known.
    static let unknown = "application/octet-stream"

    /// The media type of a file of this name.
    static func guess(fileName: String) -> String {
        guard let dot = fileName.lastIndex(of: "."), !fileName[dot...].contains("/") else { return unknown }
        return known[fileName[fileName.index(after: dot)...].lowercased()] ?? unknown
    }

    private static let known = [
        "avif": "image/avif", "bmp": "image/bmp", "csv": "text/csv; charset=utf-8", "css": "text/css; charset=utf-8",
        "flac": "audio/flac", "gif": "image/gif", "gz": "application/gzip", "htm": "text/html; charset=utf-8",
        "html": "text/html; charset=utf-8", "ipynb": "application/x-ipynb+json", "jpeg": "image/jpeg",
        "jpg": "image/jpeg", "js": "text/javascript; charset=utf-8", "json": "application/json",
        "jsonl": "application/x-ndjson", "log": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "ndjson": "application/x-ndjson", "npy": "application/x-npy",
        "ogg": "audio/ogg", "parquet": "application/vnd.apache.parquet", "pdf": "application/pdf",
        "pickle": "application/vnd.python.pickle", "pkl": "application/vnd.python.pickle", "png": "image/png",
        "py": "text/x-python; charset=utf-8", "svg": "image/svg+xml", "tar": "application/x-tar",
        "tif": "image/tiff", "tiff": "image/tiff", "toml": "application/toml",
        "tsv": "text/tab-separated-values; charset=utf-8", "txt": "text/plain; charset=utf-8",
        "wasm": "application/wasm", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
        "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip",
        "zst": "application/zstd",
    ]
}
