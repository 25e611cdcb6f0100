extension OpenAPI {
    static let paths = #"""
        {
        \#(adminPaths),
        "/v1/jobs":{
          "post":{"operationId":"submitJob","tags":["jobs"],"summary":"Submit a job; scope submit.",
            "parameters":[{"$ref":"#/components/parameters/wait"},{"$ref":"#/components/parameters/prefer"},
              {"$ref":"#/components/parameters/idempotencyKey"}],
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/JobRequest"}}}},
            "responses":{
              "200":{"description":"The job has ended within the wait; its result is inline.",
                "headers":{"Location":{"$ref":"#/components/headers/Location"},"Preference-Applied":{"$ref":"#/components/headers/PreferenceApplied"},
                  "RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},"RateLimit":{"$ref":"#/components/headers/RateLimit"}},
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Job"}}}},
              "202":{"description":"The job is durable.",
                "headers":{"Location":{"$ref":"#/components/headers/Location"},"Preference-Applied":{"$ref":"#/components/headers/PreferenceApplied"},
                  "RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},"RateLimit":{"$ref":"#/components/headers/RateLimit"}},
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Job"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Retry"},"413":{"$ref":"#/components/responses/Problem"},
              "415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},
              "429":{"$ref":"#/components/responses/Retry"},"500":{"$ref":"#/components/responses/Problem"},
              "503":{"$ref":"#/components/responses/Retry"},"507":{"$ref":"#/components/responses/Problem"}}},
          "get":{"operationId":"listJobs","tags":["jobs"],"summary":"List jobs, newest first; scope read.",
            "parameters":[
              {"name":"state","in":"query","explode":false,"schema":{"type":"array","items":{"$ref":"#/components/schemas/JobState"}}},
              {"name":"label","in":"query","explode":false,"description":"key:value, all of which must match.",
                "schema":{"type":"array","items":{"type":"string"}}},
              {"name":"name","in":"query","schema":{"type":"string"}},
              {"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":500,"default":50}},
              {"name":"cursor","in":"query","description":"next_cursor of the page before.","schema":{"type":"string"}}],
            "responses":{
              "200":{"description":"A page.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/JobList"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/jobs/batch":{
          "post":{"operationId":"submitBatch","tags":["jobs"],"summary":"Submit many jobs, all or none; scope submit.",
            "parameters":[{"$ref":"#/components/parameters/idempotencyKey"}],
            "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["jobs"],
              "additionalProperties":false,"properties":{"jobs":{"type":"array","minItems":1,"maxItems":1000,
              "description":"At most jobs.batch_max, which is 1000 unless the operator sets another number.",
              "items":{"$ref":"#/components/schemas/JobRequest"}}}}}}},
            "responses":{
              "202":{"description":"All jobs are durable.",
                "headers":{"RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},"RateLimit":{"$ref":"#/components/headers/RateLimit"}},
                "content":{"application/json":{"schema":{"type":"object",
                "required":["jobs"],"properties":{"jobs":{"type":"array","items":{"$ref":"#/components/schemas/Job"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Retry"},"413":{"$ref":"#/components/responses/Problem"},
              "415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},
              "429":{"$ref":"#/components/responses/Retry"},"503":{"$ref":"#/components/responses/Retry"},
              "507":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/jobs/{id}":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "get":{"operationId":"getJob","tags":["jobs"],"summary":"Show a job, at once or when it has ended; scope read.",
            "parameters":[{"$ref":"#/components/parameters/wait"},{"$ref":"#/components/parameters/prefer"},
              {"name":"If-None-Match","in":"header","schema":{"type":"string"}}],
            "responses":{
              "200":{"description":"The job.","headers":{"ETag":{"schema":{"type":"string"}},
                  "Preference-Applied":{"$ref":"#/components/headers/PreferenceApplied"}},
                "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Job"}}}},
              "304":{"description":"The job is as it was."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "500":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Retry"}}},
          "delete":{"operationId":"deleteJob","tags":["jobs"],"summary":"Remove a job that has ended; scope submit.",
            "responses":{"204":{"description":"Gone."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/jobs/{id}/cancel":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "post":{"operationId":"cancelJob","tags":["jobs"],"summary":"Cancel a job; scope submit.",
            "parameters":[{"name":"only","in":"query","description":"queued: leave a job alone that has started (409 already-started, with its state).",
              "schema":{"enum":["queued"]}}],
            "responses":{
              "200":{"description":"It was cancelled before.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Job"}}}},
              "202":{"description":"It is being cancelled.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Job"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/jobs/{id}/result":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "get":{"operationId":"getResult","tags":["jobs"],"summary":"The result of a job that has ended; scope read.",
            "responses":{
              "200":{"description":"The result, or the error of a job that failed. With Accept: application/octet-stream the bytes of a completed job's result alone, under its own media type: then application/json is the value itself.","content":{
                "application/json":{"schema":{"$ref":"#/components/schemas/JobResult"}},
                "application/vnd.python.pickle":{"schema":{"type":"string","contentMediaType":"application/vnd.python.pickle"}},
                "text/plain":{"schema":{"type":"string"}},
                "application/octet-stream":{"schema":{"type":"string","contentMediaType":"application/octet-stream"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"},"500":{"$ref":"#/components/responses/Problem"},
              "503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/jobs/{id}/artifacts":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "get":{"operationId":"listArtifacts","tags":["jobs"],"summary":"The files that a task left in $SLIPWAY_OUTPUT; scope read.",
            "responses":{
              "200":{"description":"The files, by name.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/ArtifactList"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/jobs/{id}/artifacts/{name}":{
          "parameters":[{"$ref":"#/components/parameters/id"},
            {"name":"name","in":"path","required":true,"description":"The file's name; its slashes are not encoded.",
              "schema":{"type":"string","maxLength":1024}}],
          "get":{"operationId":"getArtifact","tags":["jobs"],"summary":"The bytes of a file that a task left; scope read.",
            "parameters":[
              {"name":"Range","in":"header","description":"One range of bytes; several are answered with all of them.",
                "schema":{"type":"string"}},
              {"name":"If-Range","in":"header","description":"The ETag that the range belongs to.","schema":{"type":"string"}},
              {"name":"If-None-Match","in":"header","description":"ETags that are known already.","schema":{"type":"string"}}],
            "responses":{
              "200":{"description":"All bytes. The ETag is their SHA-256.","content":{"*/*":{"schema":{"type":"string","contentMediaType":"application/octet-stream"}}}},
              "206":{"description":"The range.","content":{"*/*":{"schema":{"type":"string","contentMediaType":"application/octet-stream"}}}},
              "304":{"description":"It is known already."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "409":{"$ref":"#/components/responses/Problem"},"416":{"$ref":"#/components/responses/Problem"},
              "422":{"$ref":"#/components/responses/Problem"},"500":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/jobs/{id}/logs":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "get":{"operationId":"getLogs","tags":["jobs"],"summary":"The output of a task; scope read.",
            "parameters":[
              {"name":"stream","in":"query","schema":{"enum":["stdout","stderr","all","build"],"default":"all"}},
              {"name":"follow","in":"query","description":"Stream until the job has ended.","schema":{"type":"boolean","default":false}},
              {"name":"tail","in":"query","description":"The last lines only; not with follow.","schema":{"type":"integer","minimum":0,"maximum":1000000}}],
            "responses":{"200":{"description":"Text as the task wrote it.","content":{"text/plain":{"schema":{"type":"string"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "500":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/jobs/{id}/events":{
          "parameters":[{"$ref":"#/components/parameters/id"}],
          "get":{"operationId":"getEvents","tags":["jobs"],"summary":"The events of a job until it has ended; scope read.",
            "parameters":[{"name":"Last-Event-ID","in":"header","description":"The seq after which to go on.",
              "schema":{"type":"integer","minimum":0}}],
            "responses":{"200":{"description":"Events, those of the past first.","content":{
                "text/event-stream":{"schema":{"type":"string"}},
                "application/x-ndjson":{"schema":{"$ref":"#/components/schemas/Event"}}}},
              "204":{"description":"There is nothing after Last-Event-ID, and nothing will come."},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},
              "500":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Retry"}}}},
        "/v1/events":{
          "get":{"operationId":"getTenantEvents","tags":["jobs"],"summary":"The events of all jobs of the tenant; scope read.",
            "parameters":[
              {"name":"label","in":"query","description":"key:value, or several with commas: jobs that have all of them.",
                "schema":{"type":"string"}},
              {"name":"type","in":"query","description":"Types of events, with commas; all otherwise.","schema":{"type":"string"}},
              {"name":"results","in":"query","description":"An event that ends a job carries the job, and its result up to 64 KiB.",
                "schema":{"type":"boolean","default":false}},
              {"name":"Last-Event-ID","in":"header","description":"The stream_id after which to go on.",
                "schema":{"type":"string","maxLength":64}}],
            "responses":{"200":{"description":"Events as they happen, without an end.","content":{
                "text/event-stream":{"schema":{"type":"string"}},
                "application/x-ndjson":{"schema":{"$ref":"#/components/schemas/TenantEvent"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/pools":{
          "get":{"operationId":"listPools","tags":["engine"],"summary":"What is warm; scope read.",
            "parameters":[{"name":"all","in":"query","description":"Pools and counts of all tenants; scope admin.",
              "schema":{"type":"boolean"}}],
            "responses":{"200":{"description":"Pools.","content":{"application/json":{"schema":{"type":"object","required":["pools"],
              "properties":{"pools":{"type":"array","items":{"$ref":"#/components/schemas/Pool"}}}}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/usage":{
          "get":{"operationId":"getUsage","tags":["engine"],"summary":"What the tenant may use, and what it uses now; scope read.",
            "responses":{"200":{"description":"Limits and use.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Usage"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}}},
        \#(environmentPaths)
        "/metrics":{
          "get":{"operationId":"getMetrics","tags":["engine"],"summary":"Measurements for Prometheus; scope admin.",
            "responses":{"200":{"description":"Text format 0.0.4.","content":{"text/plain":{"schema":{"type":"string"}}}},
              "400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Unauthorized"},
              "403":{"$ref":"#/components/responses/Problem"}}}},
        "/healthz":{
          "get":{"operationId":"getHealth","tags":["engine"],"summary":"Whether the service is alive.","security":[],
            "responses":{"200":{"description":"It is.","content":{"application/json":{"schema":{"type":"object",
              "properties":{"status":{"const":"ok"}}}}}},
              "400":{"$ref":"#/components/responses/Problem"}}}},
        "/readyz":{
          "get":{"operationId":"getReadiness","tags":["engine"],"summary":"Whether jobs can run.","security":[],
            "responses":{"200":{"description":"They can.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Readiness"}}}},
              "503":{"description":"They cannot.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Readiness"}}}},
              "400":{"$ref":"#/components/responses/Problem"}}}},
        "/openapi.json":{
          "get":{"operationId":"getDescription","tags":["engine"],"summary":"This description.","security":[],
            "responses":{"200":{"description":"OpenAPI 3.1.","content":{"application/json":{"schema":{"type":"object"}}}},
              "400":{"$ref":"#/components/responses/Problem"}}}}
        }
        """#
}
