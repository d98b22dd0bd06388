CREATE FUNCTION public.count_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$BEGIN UPDATE public.change SET version = version + 1; RETURN NULL; END$$;
CREATE TABLE public.arrival (
    id bigint NOT NULL,
    messages integer NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY public.arrival ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE public.arrival ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.arrival_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.change (
    version bigint NOT NULL
);
CREATE TABLE public.decision (
    id integer NOT NULL,
    made_ms bigint NOT NULL,
    actor text NOT NULL,
    kind character varying(16) NOT NULL,
    document text NOT NULL
);
CREATE SEQUENCE public.decision_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.decision_id_seq OWNED BY public.decision.id;
CREATE TABLE public.deployment (
    id integer NOT NULL,
    node_id integer NOT NULL,
    site_id integer NOT NULL,
    since_s bigint NOT NULL,
    until_s bigint
);
CREATE SEQUENCE public.deployment_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.deployment_id_seq OWNED BY public.deployment.id;
CREATE TABLE public.event (
    id bigint NOT NULL,
    node_id integer NOT NULL,
    kind character varying(16) NOT NULL,
    received_ms bigint NOT NULL,
    payload bytea NOT NULL
);
CREATE SEQUENCE public.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.event_id_seq OWNED BY public.event.id;
CREATE TABLE public.frame (
    number bigint NOT NULL,
    received_ms bigint NOT NULL,
    start_s bigint,
    seq bigint NOT NULL,
    node_id integer NOT NULL,
    log_id integer NOT NULL,
    kind smallint NOT NULL,
    payload bytea NOT NULL
)
PARTITION BY RANGE (received_ms);
CREATE TABLE public.frame_2026_02 (
    number bigint CONSTRAINT frame_number_not_null NOT NULL,
    received_ms bigint CONSTRAINT frame_received_ms_not_null NOT NULL,
    start_s bigint,
    seq bigint CONSTRAINT frame_seq_not_null NOT NULL,
    node_id integer CONSTRAINT frame_node_id_not_null NOT NULL,
    log_id integer CONSTRAINT frame_log_id_not_null NOT NULL,
    kind smallint CONSTRAINT frame_kind_not_null NOT NULL,
    payload bytea CONSTRAINT frame_payload_not_null NOT NULL
);
CREATE TABLE public.log (
    id integer NOT NULL,
    node_id integer NOT NULL,
    log bigint NOT NULL,
    next bigint NOT NULL,
    ahead text NOT NULL
)
WITH (fillfactor='60');
CREATE SEQUENCE public.log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.log_id_seq OWNED BY public.log.id;
CREATE TABLE public.node (
    id integer NOT NULL,
    name character varying(32) NOT NULL,
    admission character varying(16) NOT NULL,
    added_ms bigint NOT NULL,
    tags text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.node_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.node_id_seq OWNED BY public.node.id;
CREATE TABLE public.numbered (
    head bigint NOT NULL
);
CREATE TABLE public.reject (
    id bigint NOT NULL,
    node text NOT NULL,
    topic text NOT NULL,
    received_ms bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes bigint NOT NULL,
    log bigint,
    seq bigint
);
CREATE TABLE public.reject_count (
    node text NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL,
    kept_bytes bigint NOT NULL
);
CREATE SEQUENCE public.reject_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.reject_id_seq OWNED BY public.reject.id;
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE TABLE public.shadow (
    node_id integer NOT NULL,
    document text NOT NULL
)
WITH (fillfactor='60');
CREATE TABLE public.site (
    id integer NOT NULL,
    name character varying(64) NOT NULL,
    title text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    height_m double precision NOT NULL,
    district text NOT NULL,
    zone character varying(64) DEFAULT 'Europe/Berlin'::character varying NOT NULL,
    heading_deg double precision,
    fixture text DEFAULT ''::text NOT NULL,
    gml_id text DEFAULT ''::text NOT NULL,
    tags text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.site_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.site_id_seq OWNED BY public.site.id;
ALTER TABLE ONLY public.frame ATTACH PARTITION public.frame_2026_02 FOR VALUES FROM ('1769904000000') TO ('1772323200000');
ALTER TABLE ONLY public.decision ALTER COLUMN id SET DEFAULT nextval('public.decision_id_seq'::regclass);
ALTER TABLE ONLY public.deployment ALTER COLUMN id SET DEFAULT nextval('public.deployment_id_seq'::regclass);
ALTER TABLE ONLY public.event ALTER COLUMN id SET DEFAULT nextval('public.event_id_seq'::regclass);
ALTER TABLE ONLY public.log ALTER COLUMN id SET DEFAULT nextval('public.log_id_seq'::regclass);
ALTER TABLE ONLY public.node ALTER COLUMN id SET DEFAULT nextval('public.node_id_seq'::regclass);
ALTER TABLE ONLY public.reject ALTER COLUMN id SET DEFAULT nextval('public.reject_id_seq'::regclass);
ALTER TABLE ONLY public.site ALTER COLUMN id SET DEFAULT nextval('public.site_id_seq'::regclass);
INSERT INTO public.change VALUES (2);
INSERT INTO public.decision VALUES (1, 1770000000000, 'local:anna', 'invalidate', '{"site_id": 4, "node_id": null, "quantity": "pm2_5", "since_s": 1769900000, "until_s": 1769990000, "reason": "scaffolding"}');
INSERT INTO public.deployment VALUES (1, 1, 4, 1769989940, NULL);
INSERT INTO public.event VALUES (1, 1, 'state', 1770000000000, '\xa8000001f50205030704000500061a697fe7700763312e30');
INSERT INTO public.frame_2026_02 VALUES (1, 1770000000000, NULL, 0, 1, 1, 1, '\x84000700a40163312e30020103183c04838465706d325f356575672f6d330a63616972846b74656d70657261747572656343656c0a63616972846b666f6f7466616c6c5f696e677b636f756e747d016467617465');
INSERT INTO public.frame_2026_02 VALUES (2, 1770000000000, 1769990000, 1, 1, 1, 0, '\x88000701001a697fe770183c038918891902ac39022f19014118c83902951902eb3903221901bb');
INSERT INTO public.frame_2026_02 VALUES (3, 1770000000000, 1769990180, 2, 1, 1, 0, '\x88000702001a697fe824183c038919030b386f3901c418f63847390123190183190144390133');
INSERT INTO public.frame_2026_02 VALUES (4, 1770000000000, 1769990360, 3, 1, 1, 0, '\x88000703001a697fe8d8183c0389181d19017219017d18863901d6190156184638e839026b');
INSERT INTO public.frame_2026_02 VALUES (5, 1770000000000, 1769990540, 4, 1, 1, 0, '\x88000704001a697fe98c183c03891902c8181a3884389419016d18923902b638253881');
INSERT INTO public.frame_2026_02 VALUES (6, 1770000000000, 1769990720, 5, 1, 1, 0, '\x88000705001a697fea40183c038919039b39038419021438e439012a301619027a190128');
INSERT INTO public.frame_2026_02 VALUES (7, 1770000000000, 1769990900, 6, 1, 1, 0, '\x88000706001a697feaf4183c03891903863902a819020a39016019025a3903c21902a139010d186c');
INSERT INTO public.frame_2026_02 VALUES (8, 1770000000000, 1769991080, 7, 1, 1, 0, '\x88000707001a697feba8183c038918e31902de3902d21902203901123899185f1876390149');
INSERT INTO public.frame_2026_02 VALUES (9, 1770000000000, 1769991260, 8, 1, 1, 0, '\x88000708001a697fec5c183c03891902b538de1901de3902d31902ef3903b81902f53901e21882');
INSERT INTO public.frame_2026_02 VALUES (10, 1770000000000, NULL, 9, 1, 1, 0, '\x8900070900f6183c038919035918573902f11902ec3901182c384a3901d219027fa10282051864');
INSERT INTO public.frame_2026_02 VALUES (11, 1770000000000, NULL, 10, 1, 1, 2, '\x8400070aa301020203036b6f7574626f782066756c6c');
INSERT INTO public.log VALUES (1, 1, 7, 11, '[]');
INSERT INTO public.node VALUES (1, 'kempten-01', 'accepted', 0, '');
INSERT INTO public.numbered VALUES (11);
INSERT INTO public.reject VALUES (1, 'kempten-01', 'citynode/1/kempten-01/up/frame', 1770000000000, 'wrong shape', 'expected a record or message that begins with its version, got ''ad''', '\x626164', 3, NULL, NULL);
INSERT INTO public.reject_count VALUES ('kempten-01', 'wrong shape', 1, 3);
INSERT INTO public.schema_version VALUES (4);
INSERT INTO public.shadow VALUES (1, '{"node":"kempten-01","online":true,"boot":5,"log":7,"head":11,"tail":0,"next":11,"epoch":0,"firmware":"1.0","last_seen_ms":1770000000000,"last_frame_end_s":1769991440,"frames":9,"values":81,"payload_bytes":340,"lost":0,"last_loss":"outbox full","rejects":{"wrong shape":1},"health":{}}');
INSERT INTO public.site VALUES (4, 'rathausplatz', 'Rathausplatz', 47.7, 10.3, 3, 'Mitte', 'Europe/Berlin', NULL, '', '', '');
SELECT pg_catalog.setval('public.arrival_id_seq', 1, false);
SELECT pg_catalog.setval('public.decision_id_seq', 1, true);
SELECT pg_catalog.setval('public.deployment_id_seq', 1, true);
SELECT pg_catalog.setval('public.event_id_seq', 1, true);
SELECT pg_catalog.setval('public.log_id_seq', 1, true);
SELECT pg_catalog.setval('public.node_id_seq', 1, true);
SELECT pg_catalog.setval('public.reject_id_seq', 1, true);
SELECT pg_catalog.setval('public.site_id_seq', 4, true);
ALTER TABLE ONLY public.arrival
    ADD CONSTRAINT arrival_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deployment
    ADD CONSTRAINT deployment_node_id_since_s_key UNIQUE (node_id, since_s);
ALTER TABLE ONLY public.deployment
    ADD CONSTRAINT deployment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.log
    ADD CONSTRAINT log_log_key UNIQUE (log);
ALTER TABLE ONLY public.log
    ADD CONSTRAINT log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_name_key UNIQUE (name);
ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reject_count
    ADD CONSTRAINT reject_count_pkey PRIMARY KEY (node, reason);
ALTER TABLE ONLY public.reject
    ADD CONSTRAINT reject_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shadow
    ADD CONSTRAINT shadow_pkey PRIMARY KEY (node_id);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_name_key UNIQUE (name);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);
CREATE INDEX event_node ON public.event USING btree (node_id, kind, id);
CREATE INDEX frame_place ON ONLY public.frame USING btree ((((log_id * '4294967296'::bigint) + seq))) WITH (fillfactor='100');
CREATE INDEX frame_2026_02_expr_idx ON public.frame_2026_02 USING btree ((((log_id * '4294967296'::bigint) + seq))) WITH (fillfactor='100');
CREATE INDEX frame_begin ON ONLY public.frame USING btree ((((node_id * '4294967296'::bigint) + start_s))) WITH (fillfactor='100') WHERE (start_s IS NOT NULL);
CREATE INDEX frame_2026_02_expr_idx1 ON public.frame_2026_02 USING btree ((((node_id * '4294967296'::bigint) + start_s))) WITH (fillfactor='100') WHERE (start_s IS NOT NULL);
CREATE INDEX frame_number ON ONLY public.frame USING brin (number) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX frame_2026_02_number_idx ON public.frame_2026_02 USING brin (number) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX reject_head ON public.reject USING btree (log, seq);
CREATE INDEX reject_node ON public.reject USING btree (node);
ALTER INDEX public.frame_place ATTACH PARTITION public.frame_2026_02_expr_idx;
ALTER INDEX public.frame_begin ATTACH PARTITION public.frame_2026_02_expr_idx1;
ALTER INDEX public.frame_number ATTACH PARTITION public.frame_2026_02_number_idx;
CREATE TRIGGER node_changed AFTER INSERT OR DELETE OR UPDATE ON public.node FOR EACH STATEMENT EXECUTE FUNCTION public.count_change();
ALTER TABLE ONLY public.deployment
    ADD CONSTRAINT deployment_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.node(id);
ALTER TABLE ONLY public.deployment
    ADD CONSTRAINT deployment_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.node(id);
ALTER TABLE public.frame
    ADD CONSTRAINT frame_log_id_fkey FOREIGN KEY (log_id) REFERENCES public.log(id);
ALTER TABLE public.frame
    ADD CONSTRAINT frame_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.node(id);
ALTER TABLE ONLY public.log
    ADD CONSTRAINT log_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.node(id);
ALTER TABLE ONLY public.shadow
    ADD CONSTRAINT shadow_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.node(id);
