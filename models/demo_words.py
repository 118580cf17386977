"""The words of the demo model's sentences. See demo_data.py."""

# Words. Every name, answer and place name below is one GPT-2 token after a
# space.

MALE = """Michael Christopher David Daniel Matthew Joshua Andrew Justin Robert
Joseph Jonathan Ryan Brandon Jason Kevin Eric Steven Brian Timothy Adam Richard
Nathan Charles Aaron Kyle Jeremy Jeffrey Sean Paul Patrick Stephen Peter Jack
George Simon Philip Louis Arthur Oliver Samuel Benjamin Ben Max Luke Ian Greg
Alan Carl Keith Bruce Harry Fred Walter Tony Neil Craig Gary Larry Jerry Douglas
Ralph Victor Oscar Albert William Anthony Mike Steve Joe Nick Matt Tim Dave Ken
Phil Ron John Tom James Dan Sid Martin""".split()

FEMALE = """Jennifer Amanda Stephanie Nicole Elizabeth Heather Megan Melissa
Christina Rachel Laura Lauren Katie Sara Sarah Kate Emily Anna Emma Lisa Julia
Susan Karen Linda Nancy Helen Ruth Alice Jane Claire Lucy Maria Andrea Erin
Allison Angela Rebecca Samantha Hannah Elena Marie Diana Caroline Catherine
Margaret Barbara Carol Donna Sharon Patricia Sandra Betty Dorothy Julie
Christine Ann Anne Eva Clara Ellen Molly Jill Joan Judy Tina Wendy Sally Sophie
Sophia Olivia Chloe Charlotte Danielle Vanessa Natalie Leah Monica Mary Amy
Michelle Jessica""".split()

NAMES = MALE + FEMALE

LAST = """Jones Smith Brown Taylor Wilson Davis Johnson Clark Lewis Walker
Wright Green Adams Baker Nelson Mitchell Roberts Turner Phillips Campbell Parker
Evans Edwards Collins Stewart Morris Rogers Reed Cook Bell Murphy Bailey Cooper
Ward Cox Richardson Wood Watson Brooks Sanders Price Bennett Barnes Ross
Henderson Coleman Jenkins Perry Powell Long Patterson Hughes Butler Simmons
Foster Gray Miller Moore Anderson Jackson White Harris Thompson Garcia Martinez
Robinson Rodriguez Hernandez Lopez Gonzalez Perez Williams Graham Sullivan
Wallace Cole West Ford Hamilton Fisher Ellis Harrison Gibson Marshall Owens
McDonald Woods Kennedy Wells Freeman Webb Tucker Burns Crawford Simpson Porter
Gordon Shaw Black Palmer Rice Stone Murray Warren Fox Mason Dixon
Knight""".split()
# The first names of the list are the common ones: a guess is one of them.
LAST_COMMON = LAST[:8]

PLACES = """park shops store school library museum market beach station garden
restaurant hospital church cinema zoo office bank bakery farm lake river forest
theatre stadium castle hotel airport harbour kitchen house village bridge cafe
gym pool university factory gallery temple cabin""".split()

OBJECTS = """bag ball book drink apple ring necklace letter key basketball bone
computer kiss snack gift flower card ticket hat coat watch phone picture map
lamp cup box toy pen cake sandwich guitar camera bottle umbrella egg orange
knife blanket basket coin scarf newspaper""".split()

PEOPLE = """teacher doctor student farmer driver singer nurse painter soldier
baker lawyer neighbour child king queen writer dancer pilot judge sailor cook
guard waiter artist player manager officer engineer scientist hunter boy girl
man woman friend brother sister mother father uncle aunt cousin tourist customer
worker visitor prince""".split()

THINGS = """table chair door window car bike train boat house tree dog cat horse
bird fish song story film game plan idea road wall roof clock mirror engine
machine radio piano violin rope wheel ladder bucket stone river mountain cloud
storm fire candle carpet curtain pillow spoon plate bowl soup bread
cheese meal sweater shirt shoe glove button wallet bicycle truck ship
rocket""".split()

ADJECTIVES = """old new small big red blue green white black heavy light quiet
loud happy sad warm cold bright dark cheap expensive strange beautiful ugly
clean dirty soft hard wet dry long short tall narrow wide empty full broken
famous strong weak slow fast young tired hungry angry kind clever brave lazy
rich poor honest polite rude calm nervous proud shy terrible wonderful boring
important simple difficult""".split()

QUALITIES = """good great bright brilliant young hard-working clever quiet lazy
talented gifted famous popular kind honest serious promising former part-time
skilled creative careful brave fine first-rate successful""".split()

ROLES = """student teacher doctor singer writer player lawyer pilot nurse
painter engineer scientist dancer driver farmer soldier manager judge artist
cook baker officer swimmer runner actor neighbour friend worker musician""".split()

TRANSITIVE = """painted bought sold found lost repaired carried cleaned watched
liked wanted noticed opened closed broke borrowed forgot hid touched moved
dropped admired described drew kept washed loved hated remembered needed
collected""".split()

INTRANSITIVE = """slept laughed cried smiled sang danced waited shouted worked
walked ran swam arrived left stayed fell waited talked listened studied
travelled rested cooked jumped""".split()

ADVERBS = """slowly quickly quietly loudly happily sadly carefully badly well
again alone together early late there outside inside yesterday today
often""".split()

WHEN = ["Yesterday", "Last week", "In the morning", "In the evening", "One day",
        "Last summer", "On Monday", "On Friday", "At noon", "Later", "Suddenly",
        "In the winter", "Last night", "Every day", "Afterwards", "Then",
        "After the lunch"]

PREPOSITIONS = ["in", "near", "behind", "under", "on", "beside", "at", "by"]

EVENTS = """war contract siege project strike drought trial reign festival truce
campaign voyage famine alliance conflict treaty dispute empire expedition debate
experiment journey marriage search tour rebellion revolution crisis era
programme lease career winter plague""".split()
