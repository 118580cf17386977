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

# More words that stand for people, in ioi, recall and repeat alone: first
# names, surnames, names out of books. Copying must work for any of them.
MORE_NAMES = """Abbott Abby Abraham Abrams Achilles Ada Adelaide Adrian Ahmad
Ahmed Akira Alec Alex Alexa Alexander Alexandra Alexis Alfred Ali Alicia Alison
Allan Allen Alma Alonso Alvarez Alvin Amber Amelia Amir Amos Anders Andersen
Andre Andrews Andy Angel Angelo Anita Annie Anton Antonio Apollo Archer Archie
Ariel Aristotle Armstrong Arnold Artemis Ashe Ashley Ashton Athena Atkins
Atkinson Atlas Audrey Augustus Aurora Austin Avery Axel Bach Ball Ballard Bane
Barber Barker Barnett Barney Barr Barrett Barron Barry Bart Barton Bashar Bass
Bates Batman Baxter Beard Beck Becker Becky Bella Benedict Benson Berg Berger
Berman Bernard Bernie Bernstein Berry Bert Beth Betsy Beverly Bill Billy Bird
Bishop Blackburn Blackwell Blair Blake Bloom Bob Bobby Boehner Bolt Bonnie Boone
Booth Boris Bowen Bowie Bowman Boyd Boyle Brad Bradford Bradley Brady Braun
Brenda Brendan Brennan Brent Brett Brewer Bridges Briggs Bright Brittany Brock
Brooke Bruno Bryan Bryant Bryce Buck Buckley Bud Buffy Burgess Burke Burnett
Burton Bush Byrd Byrne Byron Cabrera Caesar Cain Caldwell Caleb Calvin Cameron
Candy Cannon Carey Carlos Carlson Carlton Carly Carmen Carney Carolyn Carpenter
Carr Carrie Carroll Carson Carter Casey Cassandra Castro Cathy Cecil Chad
Chambers Chan Chandler Chandra Chang Chapman Charlie Chavez Chelsea Chen Cheney
Cheng Cher Cheryl Chester Chip Choi Chris Christie Christy Chuck Chung Churchill
Cindy Clancy Clarence Clarke Claudia Clay Clayton Cliff Clifford Clint Clinton
Clyde Cobb Cody Cohen Colin Connie Connor Conor Conrad Conway Cooke Corey Cory
Costa Courtney Crane Crosby Cruz Crystal Cummings Cunningham Curry Curt Curtis
Cynthia Cyrus Daisy Dale Dalton Daly Damian Damon Dana Daniels Danny Dante
Darius Darrell Darren Darwin Davidson Davies Dawson Dean Debbie Deborah Decker
Dempsey Denise Dennis Derek Derrick Desmond Destiny Devin Dexter Diane Diaz
Dickens Dickinson Diego Dillon Dirk Dmitry Dodd Dominic Donald Donovan Doug
Doyle Draco Dracula Drake Drew Dudley Duffy Duke Dumbledore Duncan Dunn Durham
Dustin Dwight Dylan Earl Eaton Eddie Edgar Edward Edwin Einstein Eisen Elaine
Eleanor Eli Elias Elijah Elise Elliot Elliott Elsa Elvis Emerson Emil Enrique
Erica Erik Ernest Esther Ethan Eugene Evan Everett Ezekiel Ezra Farrell Felix
Ferguson Fernandez Fernando Fields Finch Finn Fiona Fischer Fitzgerald
Fitzpatrick Fleming Fletcher Flores Floyd Flynn Foley Forbes Forrest Fowler
Frances Francis Francisco Franco Frankenstein Frankie Franklin Franks Franz
Frazier Frederick Freud Friedman Frost Fuller Fulton Gabriel Gallagher Gamble
Gandhi Garner Garrett Garrison Gates Gavin Gene Geoff Geoffrey Gerald Gerard
Gilbert Giles Gill Gillespie Gilmore Gina Ginny Giovanni Glen Glenn Gloria
Glover Goldberg Goldman Goldstein Gomez Goodman Goodwin Gould Grace Grant
Greenberg Greene Gregory Griffin Griffith Grimes Gross Guerrero Gupta Gus Gustav
Gutierrez Hades Hale Haley Hall Hammond Hampton Hancock Hank Hanna Hans Hansen
Hanson Harding Hardy Harmon Harold Harper Harriet Harrington Hart Harvey Hassan
Hayden Hayes Hazel Heath Hector Hegel Heidi Helena Hendricks Henry Hera Herb
Herbert Hercules Herman Hermes Hermione Herrera Hess Hicks Higgins Hill Hillary
Hoffman Hogan Holden Holder Hollande Holly Holmes Holt Homer Hong Hood Hoover
Hopkins Horton Horus Howard Howe Howell Hubbard Hudson Huff Hugh Hugo Hull Hunt
Hunter Hussein Hutchinson Hyde Ibrahim Igor Imran Ingram Iris Irma Irving Irwin
Isaac Isabel Isaiah Ivan Ivy Jackie Jacob Jacobs Jacques Jade Jake Jamal Jamie
Jan Janet Jared Jarvis Jasper Javier Jay Jean Jeanne Jeff Jefferson Jen Jenna
Jennings Jenny Jensen Jerome Jess Jesse Jessie Jim Jimmy Jo Joel Joey Johann
Johnny Johns Johnston Jon Jonah Jonas Jordan Jorge Jose Josh Joy Joyce Juan
Judah Judd Jude Judith Julian Juliet Julius Jung Kaepernick Kafka Kane Kant
Kaplan Kara Karin Karl Kasich Kat Katherine Kathleen Kathryn Kathy Katrina Katz
Kaufman Kay Keane Keller Kelley Kelly Kelvin Kemp Kendall Kenneth Kenny Kent
Kerr Kerry Kessler Khalid Khan Kidd Kim Kimberly King Kirby Kirk Klaus Klein
Knox Kobe Koch Kramer Kristen Kumar Kurt Lamb Lambert Lana Lance Lang Lara Lars
Larson Laurie Lawrence Lawson Lear Lee Leia Lena Lenin Lennon Leo Leon Leonard
Leonardo Leslie Lester Levi Levine Levy Liam Lilly Lily Lin Lindsay Lindsey
Lionel Livingston Liz Lloyd Locke Logan Lois Loki Lorenzo Lori Lou Louise Lowe
Lowell Lucas Lucia Luis Luna Lydia Lynch Lynn Lyons MacDonald Mack Macron Madden
Madison Madonna Maduro Maggie Magnus Maher Mahmoud Malcolm Malfoy Malone Mandela
Mann Manning Manny Manuel Marc Marcel Marco Marcus Marian Marilyn Marina Mario
Marion Mark Marsh Martha Marty Marvin Marx Matthews Maurice Maxim Maxwell Maya
Mayer Mayo McCain McCarthy McConnell McCoy McKay McKenna McKenzie McMahon Mead
Meadows Medina Meg Mel Melanie Melvin Mercedes Mercer Meredith Merkel Merlin
Merrill Messi Meyer Mia Michaels Mickey Miguel Mikhail Miles Mills Milo Milton
Minerva Ming Miranda Misty Mitch Modi Mohamed Mohammad Monroe Montgomery Moody
Moon Morales Moran Moreno Morgan Morrison Morrow Morse Morton Moses Moss Mubarak
Mueller Muller Murdoch Musk Myers Naomi Naruto Nash Natasha Nathaniel Neal Ned
Nero Newman Newton Nguyen Nicholas Nichols Nicholson Nicola Nicolas Nielsen
Nietzsche Nigel Nikki Nina Nixon Noah Noble Noel Nolan Nora Norman Norris Norton
Odin Olive Olsen Olson Omar Orion Orlando Ortiz Orwell Osborne Osiris Otto Owen
Pablo Pace Paige Palin Pam Pamela Parsons Patel Patton Patty Paula Pavel Payne
Pearce Pearl Pearson Peck Pedro Peggy Pelosi Pence Penn Penny Pete Peters
Petersen Peterson Petra Petty Phelps Picard Pierce Pierre Pike Piper Pitt Plato
Polly Pope Potter Powers Pratt Prescott Preston Prince Pruitt Quentin Quinn
Rafael Rahul Raj Ramirez Ramos Ramsey Rand Randall Randolph Randy Raphael
Rasmussen Raven Ray Raymond Reagan Reese Reeves Reggie Regina Reid Reilly Rex
Reyes Reynolds Rhodes Ricardo Richards Richmond Rick Ricky Riley Rita Rivera
Rivers Rob Robbie Robbins Roberto Robertson Robin Roche Rocky Rod Rodgers Rodney
Rodrigo Roger Roland Romeo Romero Ronald Ronaldo Ronnie Roosevelt Rory Rosa Rose
Rosen Rosenberg Roth Rowe Roy Rubin Rubio Ruby Rudy Rupert Rush Russ Russell
Rutherford Ryder Sakura Sal Salvador Sam Sammy Sanchez Sandy Sanford Santana
Santiago Santos Sasha Saul Savannah Sawyer Scarlett Schmidt Schneider Schultz
Schumer Schwartz Scott Scully Sears Sebastian Sergei Sergio Seth Shah
Shakespeare Shane Shannon Sharma Shaun Shawn Sheila Shelby Sheldon Shelley
Shepard Shepherd Sheridan Sherlock Sherman Shields Shirley Sierra Silva Simone
Singh Sirius Skinner Slater Sloan Snape Snow Snyder Socrates Solomon Sonia
Sparks Spears Spencer Spike Spock Stacy Stafford Stan Stanley Stanton Stark
Steele Stefan Stein Stella Stephan Stephens Stephenson Sterling Stern Stevens
Stevenson Stout Stuart Sue Summers Sutherland Sutton Suzanne Suzuki Sven Swanson
Sweeney Sweet Swift Sylvia Tammy Tanaka Tara Tate Ted Teresa Terry Tess Thatcher
Theo Theodore Theresa Thomas Thor Thornton Tiffany Tobias Toby Todd Tommy Torres
Townsend Tracy Travis Trent Trevor Trotsky Troy Tyler Tyson Vader Valencia
Valentine Valerie Vance Vaughan Vaughn Vega Venus Vera Vernon Veronica Victoria
Viktor Vince Vincent Violet Vladimir Voldemort Wade Wagner Walsh Walters Walton
Wang Ware Warner Watkins Watts Wayne Weasley Weaver Weber Webster Wei Weiner
Weiss Welch Wes Wesley Weston Wheeler Whitman Whitney Wiggins Wiley Wilkinson
Willie Willow Winston Wise Wolf Wolfe Wong Woodward Woody Wu Wyatt Xander Xavier
Xu Yang Yates York Yu Yuri Zach Zack Zelda Zeus Zhang Zhao Zhou Zimmerman Zoe
Zuckerberg""".split()

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
